"""Slide 30: injective blocks with a random map to d dimensions after each; pairs of inputs, and inversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

import unrelu
from unrelu.nn import GenericProjection, InjectiveSequential
from unrelu.nn.modules import levenberg_marquardt

from .._frozen import frozen
from .._pictures import COLORS, DASHES, MUTED, drawing, panels, save
from .._training import Tell
from ._networks import network
from ._pairs import COLLISION, closest_pair

_SIZES, _QUICK_SIZES = (1, 2, 3), (1,)
_DRAWS, _QUICK_DRAWS = 12, 1  # networks for each n and d
_DECIDED = {1: 12, 2: 2}  # how many of these are decided, by n
_SECONDS = 10.0  # for a decision
_POINTS, _QUICK_POINTS = 200, 40  # where searches for pairs begin
_SIDE = 3.0  # of half the cube in which pairs are looked for
_INPUTS, _SAMPLES, _NEAREST = 100, 2000, 8  # to be found again; tried as starts; of these begun from
_RIGHT = 1e-6  # relative error of an input that counts as found


@dataclass(frozen=True)
class Survey:
    """What was found of the networks of one kind.

    Attributes:
        ratios: The smallest ratio of distances of each, relative to the median of random pairs.
        verdicts: Of those that were decided.
    """

    ratios: np.ndarray
    verdicts: list[unrelu.Verdict]


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Search random networks for pairs with the same output, decide the small ones, and invert.

    Args:
        folder: Where ``projection.png`` goes.
        seed: Of the networks and inputs.
        quick: Few and small networks.
        tell: Told what is being done.
    """
    draws, points = (_QUICK_DRAWS, _QUICK_POINTS) if quick else (_DRAWS, _POINTS)
    seeds = [seed + 100 * k for k in range(draws)]
    surveys: dict[int, dict[int, Survey]] = {}
    found: dict[str, float] = {}
    for n in _QUICK_SIZES if quick else _SIZES:
        tell(f"controlled expansivity: n = {n}")
        decided = _DECIDED.get(n, 0)
        surveys[n] = {d: survey(n, d, seeds, decided, points) for d in range(max(1, n - 1), 2 * n + 4)}
        for d, one in surveys[n].items():
            found |= {f"n = {n}, d = {d}: {name}": value for name, value in _figures(one).items()}
        found |= {f"n = {n}, d = {2 * n + 1}: {name}": value for name, value in _inversion(n, seeds).items()}
    save(_picture(surveys), folder / "projection.png")
    return found


def chain(n: int, d: int, seed: int) -> nn.Sequential:
    """Return blocks ``n -> 2n -> 4n`` and ``d -> 2d -> 4d`` with a Gaussian map to ``d`` after each."""
    generator = torch.Generator().manual_seed(seed)
    parts: list[nn.Module] = []
    for k in (n, d):
        parts += [
            *network((k, 2 * k, 4 * k), injective=True, seed=seed + k),
            _gaussian(4 * k, d, n, generator),
        ]
    return nn.Sequential(*parts)


def _gaussian(k: int, d: int, n: int, generator: torch.Generator) -> nn.Module:
    """Return a random map to ``d`` dimensions: unrelu's where these are enough, which it insists on."""
    if d >= 2 * n + 1:
        return GenericProjection(k, d, n, generator=generator, dtype=torch.float64)
    last = nn.utils.skip_init(nn.Linear, k, d, bias=False, dtype=torch.float64)
    nn.init.normal_(last.weight, std=d**-0.5, generator=generator)
    return last


def survey(n: int, d: int, seeds: list[int], decided: int, points: int) -> Survey:
    """Look for the closest pair of random networks, and decide some of them on the same cube."""
    ratios, verdicts = [], []
    for k, seed in enumerate(seeds):
        g = frozen(chain(n, d, seed))
        x = _inputs(points, n, seed)
        apart, there = x - x.roll(1, dims=0), g(x) - g(x.roll(1, dims=0))
        usual = float((there.norm(dim=1) / apart.norm(dim=1)).median())
        ratios.append(closest_pair(g, x, _SIDE).ratio / usual)
        if k < decided:
            net = unrelu.trace(g, x[:1])
            verdicts.append(
                unrelu.decide(net, unrelu.Box(-_SIDE, _SIDE), time_limit=_SECONDS, n_jobs=1).verdict
            )
    return Survey(np.array(ratios), verdicts)


def _inputs(count: int, n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return _SIDE * (2 * torch.rand(count, n, generator=generator, dtype=torch.float64) - 1)


def _figures(found: Survey) -> dict[str, float]:
    figures = {
        "with a collision found": float((found.ratios < COLLISION).mean()),
        "smallest ratio": float(found.ratios.min()),
        "median ratio": float(np.median(found.ratios)),
    }
    if found.verdicts:
        verdicts = np.array(found.verdicts)
        proved = verdicts == unrelu.Verdict.INJECTIVE
        collides = found.ratios[: len(verdicts)] < COLLISION
        figures["decided"] = float(len(verdicts))
        figures["proved, yet collides"] = float((proved & collides).sum())
        if len(verdicts) == len(found.ratios):
            figures["proved injective"] = float(proved.mean())
            figures["refuted"] = float((verdicts == unrelu.Verdict.NOT_INJECTIVE).mean())
    return figures


def _inversion(n: int, seeds: list[int]) -> dict[str, float]:
    """Return how many inputs are found again from outputs in ``2n + 1`` dimensions."""
    first, best = [], []
    for seed in seeds:
        model = chain(n, 2 * n + 1, seed)
        g = frozen(model)
        x, samples = _inputs(_INPUTS, n, seed + 1), _inputs(_SAMPLES, n, seed + 2)
        y = g(x)
        layerwise = InjectiveSequential(*model).invert(y)
        first.append(_found(layerwise.x, x))
        near = torch.cdist(y, g(samples)).topk(_NEAREST, largest=False).indices
        runs = levenberg_marquardt(g, y.repeat_interleave(_NEAREST, dim=0), samples[near.flatten()])
        place = runs.residual.reshape(_INPUTS, _NEAREST).argmin(dim=1)
        ends = runs.x.reshape(_INPUTS, _NEAREST, n)[torch.arange(_INPUTS), place]
        best.append(_found(ends, x))
    return {
        "inputs found, layer by layer": float(np.mean(first)),
        "inputs found, from samples": float(np.mean(best)),
    }


def _found(ends: torch.Tensor, x: torch.Tensor) -> float:
    """Return the share of inputs that were found again."""
    return float(((ends - x).norm(dim=1) <= _RIGHT * x.norm(dim=1)).double().mean())


def _picture(surveys: dict[int, dict[int, Survey]]) -> Figure:
    with drawing():
        figure, axes = panels(1, len(surveys), width=7.2, height=3.4, sharey=True)
        for panel, (n, of_d), color in zip(axes[0], surveys.items(), COLORS, strict=False):
            _draw(panel, n, of_d, color)
        axes[0, 0].set_ylabel("smallest ratio of distances found,\nrelative to that of random pairs")
    return figure


def _draw(panel: Axes, n: int, of_d: dict[int, Survey], color: str) -> None:
    """Draw a dot for every network; those with a collision lie on the floor."""
    floor = COLLISION
    for d, one in of_d.items():
        places = d + np.linspace(-0.3, 0.3, len(one.ratios))
        panel.semilogy(places, np.sort(one.ratios).clip(floor), ".", color=color, markersize=4)
    panel.axvline(2 * n + 0.5, color=MUTED, linestyle=DASHES[1], linewidth=1)
    panel.annotate(
        "d ≥ 2n + 1",
        (2 * n + 0.5, floor),
        xytext=(3, 10),
        textcoords="offset points",
        fontsize=8,
        color=MUTED,
    )
    panel.set(
        title=f"n = {n}", xlabel="d, dimensions after each block", xticks=list(of_d), ylim=(floor / 3, 3)
    )
    labels = {floor: "collision", 1e-8: "1e-08", 1e-6: "1e-06", 1e-4: "0.0001", 1e-2: "0.01", 1: "1"}
    panel.set_yticks(list(labels), list(labels.values()))
    panel.minorticks_off()
