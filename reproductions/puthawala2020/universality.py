"""Slide 29: functions R^n -> R^(2n + 1) approximated by injective networks; error against width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

import unrelu

from .._frozen import frozen
from .._pictures import COLORS, DASHES, drawing, panels, save
from .._training import Tell
from ._networks import fit, network, with_output
from ._pairs import COLLISION, closest_pair

_WIDTHS, _QUICK_WIDTHS = (4, 8, 16, 32, 64), (4,)
_STEPS, _QUICK_STEPS = 1500, 20
_SIDE = {1: 400, 2: 24}  # samples along each axis, by n
_SEARCH = {1: 200, 2: 14}  # of these, along each axis, where the search for pairs begins
_CROSSING = (-0.25, 1 / 0.9 - 0.25)  # where the figure eight is at its middle
_KINDS = {"injective": True, "ordinary": False}
_FLOOR = 1e-9  # where collisions are drawn
_NUDGE = 1e-3  # Frobenius norm of the random change of the output map, relative to that map

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Approximation:
    """A network on [-1, 1]^n in place of a function.

    Attributes:
        fitted: The network as ordinary layers.
        model: The same, its output map moved to general position.
        error: Largest distance from the function on a grid, relative to the function's largest value.
    """

    fitted: nn.Sequential
    model: nn.Sequential
    error: float


def helix(t: torch.Tensor) -> torch.Tensor:
    """A curve that does not meet itself: two turns of a helix."""
    angle = 2 * torch.pi * t
    return torch.cat([angle.cos(), angle.sin(), t], dim=-1)


def eight(t: torch.Tensor) -> torch.Tensor:
    """A curve in a plane that crosses itself at its middle."""
    angle = torch.pi * (t + 0.25) * 0.9
    return torch.cat([angle.sin(), (2 * angle).sin(), 0 * t], dim=-1)


def saddle(x: torch.Tensor) -> torch.Tensor:
    """A surface that does not meet itself: the graph of three functions."""
    u, v = x.split(1, dim=-1)
    return torch.cat([u, v, u * u - v * v, (2 * torch.pi * u).sin() / 2, (u + v).cos()], dim=-1)


def umbrella(x: torch.Tensor) -> torch.Tensor:
    """Whitney's umbrella ``(u, v) -> (uv, u, v²)``, which meets itself along a line, in five dimensions."""
    u, v = x.split(1, dim=-1)
    return torch.cat([u * v, u, v * v, 0 * u, 0 * u], dim=-1)


FUNCTIONS: dict[str, tuple[int, Function]] = {
    "helix": (1, helix),
    "figure eight": (1, eight),
    "graph": (2, saddle),
    "umbrella": (2, umbrella),
}


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train networks of several widths for each function, and write ``universality.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the networks.
        quick: Few widths and steps.
        tell: Told what is being done.
    """
    widths, steps = (_QUICK_WIDTHS, _QUICK_STEPS) if quick else (_WIDTHS, _STEPS)
    found: dict[str, float] = {}
    made: dict[str, dict[str, list[Approximation]]] = {}
    least: dict[str, list[tuple[float, float]]] = {}
    for name in FUNCTIONS:
        tell(f"universality: {name}")
        made[name] = {
            kind: [approximate(name, width, injective, seed, steps) for width in widths]
            for kind, injective in _KINDS.items()
        }
        least[name] = [ratios(name, one) for one in made[name]["injective"]]
        for k, width in enumerate(widths):
            row = f"{name}, width {width}"
            found |= {f"{row}: error, {kind} layers": of[k].error for kind, of in made[name].items()}
            found[f"{row}: layers proved injective"] = proved(made[name]["injective"][k].model)
            found[f"{row}: smallest ratio as fitted"], found[f"{row}: smallest ratio"] = least[name][k]
        fitted, moved = (np.array(least[name]) < COLLISION).mean(axis=0).tolist()
        found[f"{name}, all widths: meet themselves as fitted"] = fitted
        found[f"{name}, all widths: meet themselves"] = moved
    save(_picture(widths, made, least), folder / "universality.png")
    return found


def grid(n: int, side: int) -> torch.Tensor:
    """Return points of ``[-1, 1]^n``, shape ``(side^n, n)``."""
    ticks = torch.linspace(-1, 1, side, dtype=torch.float64)
    return torch.cartesian_prod(*[ticks] * n).reshape(-1, n)


def approximate(name: str, width: int, injective: bool, seed: int, steps: int) -> Approximation:
    """Train layers with ``width`` and ``2 width`` rows and an output map."""
    n, f = FUNCTIONS[name]
    x = grid(n, _SIDE[n])
    y = f(x)
    model = with_output(network((n, width, 2 * width), injective, seed), 2 * width, y.shape[1], seed)
    fit(model, x, y, steps)
    fitted = frozen(model)
    model = nudged(fitted, seed)
    return Approximation(fitted, model, float((model(x) - y).norm(dim=1).max() / y.norm(dim=1).max()))


def nudged(fitted: nn.Sequential, seed: int) -> nn.Sequential:
    """Return a network whose output map is moved to a general position nearby.

    The move is the paper's: a map in general position keeps the image of the layers from meeting itself.
    """
    model = frozen(fitted)
    weight = model[-1].weight
    generator = torch.Generator().manual_seed(seed)
    change = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    weight += _NUDGE * weight.norm() / change.norm() * change
    return model


def ratios(name: str, one: Approximation) -> tuple[float, float]:
    """Return the smallest ratio of distances found before and after the move."""
    n, _ = FUNCTIONS[name]
    # Half a step off the grid: between the samples.
    search = grid(n, _SEARCH[n]) * (1 - 1 / _SEARCH[n])
    return closest_pair(one.fitted, search).ratio, closest_pair(one.model, search).ratio


def proved(model: nn.Sequential) -> float:
    """Return which share of the ReLU layers is injective by a proof that the verifier accepts."""
    layers = [unrelu.ReLULayer.from_module(module) for module in model[:-1] if isinstance(module, nn.Linear)]
    decisions = [unrelu.decide(layer, n_jobs=1) for layer in layers]
    accepted = [
        one.verdict == unrelu.Verdict.INJECTIVE and unrelu.verify(one.certificate, layer).valid
        for one, layer in zip(decisions, layers, strict=True)
    ]
    return float(np.mean(accepted))


def _picture(
    widths: tuple[int, ...],
    made: dict[str, dict[str, list[Approximation]]],
    least: dict[str, list[tuple[float, float]]],
) -> Figure:
    with drawing():
        figure, axes = panels(1, 3, width=7.2, height=3.2)
        error, ratio, crossing = axes[0]
        for (name, kinds), color in zip(made.items(), COLORS, strict=False):
            for (kind, of), dashes in zip(kinds.items(), DASHES, strict=False):
                label = name if kind == "injective" else None
                error.loglog(widths, [one.error for one in of], dashes, color=color, marker=".", label=label)
            fitted, moved = np.array(least[name]).T
            ratio.loglog(widths, moved, "-", color=color, marker=".")
            ratio.loglog(widths, fitted.clip(_FLOOR), ":", color=color, marker=".")
        error.set(title="error (dashed: ordinary layers)", ylabel="largest error / largest value")
        ratio.set(title="closest pair (dotted: as fitted)", ylabel="|g(x) - g(x')| / |x - x'|")
        for panel, ticks in ((error, (0.01, 0.1, 1)), (ratio, (_FLOOR, 1e-6, 1e-4, 0.01, 1))):
            labels = ["0" if tick == _FLOOR else f"{tick:g}" for tick in ticks]
            panel.set_yticks(ticks, labels)
            panel.set_xlabel("rows of the first layer")
            panel.set_xticks(widths, [str(width) for width in widths])
            panel.minorticks_off()
        _draw_crossing(crossing, made["figure eight"]["injective"][-1])
        figure.legend(*error.get_legend_handles_labels(), loc="outside upper left", frameon=False, ncols=4)
    return figure


def _draw_crossing(panel: Axes, one: Approximation) -> None:
    """Draw both strands of the curve that crosses itself, where they pass each other."""
    for middle, color in zip(_CROSSING, (COLORS[0], COLORS[4]), strict=True):
        t = middle + torch.linspace(-0.02, 0.02, 101, dtype=torch.float64)[:, None]
        for model, dashes in ((one.fitted, ":"), (one.model, "-")):
            values = model(t)
            panel.plot(values[:, 0], 1000 * values[:, 2], dashes, color=color)
    width = one.model[0].out_features
    panel.set(title=f"crossing of the eight, w = {width}", xlabel="y₁", ylabel="1000 y₃")
