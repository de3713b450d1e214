"""Slide 31: what a network does to the topology of its inputs; two circles, which layers may join."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial import cKDTree
from torch import nn

import unrelu
from unrelu._drawing import LIGHT
from unrelu.nn.modules import levenberg_marquardt

from .._frozen import frozen
from .._pictures import COLORS, DASHES, drawing, panels, save
from .._training import Tell
from ._networks import fit, network, with_output

_SIZES = (2, 6, 12)  # a plane and the rows of the two layers; the output has as many numbers as the last
_NETWORKS, _QUICK_NETWORKS = 20, 1
_STEPS, _QUICK_STEPS = 1500, 30
_ANGLES = 200  # samples of a circle to train on
_IMAGES, _QUICK_IMAGES = 20_000, 500  # of its image
_RADIUS, _HEIGHTS = 0.6, (0.9, -0.9)  # of the circles, and where on the second axis their centres are
_SAME = 1e-10  # gap that is rounding
_FLOOR = 1e-6  # where smaller distances are drawn
_KINDS = {"injective": True, "ordinary": False}


@dataclass(frozen=True, eq=False)
class Trained:
    """A network and the images of the circles.

    Attributes:
        model: As ordinary layers, in float64.
        error: Root mean square distance from the function it was trained for, relative to that of a constant.
        images: Shape ``(2, angles, m)``.
        gap: Smallest distance of two points of different images that a search finds.
        verdict: Whether the network is injective on the plane; unknown without a proof that is accepted.
    """

    model: nn.Sequential
    error: float
    images: np.ndarray
    gap: float
    verdict: unrelu.Verdict


def circle(angle: torch.Tensor, height: float) -> torch.Tensor:
    """Return points of the circle around ``(0, height)``, shape ``(..., 2)``."""
    return torch.stack([_RADIUS * angle.cos(), _RADIUS * angle.sin() + height], dim=-1)


def target(x: torch.Tensor) -> torch.Tensor:
    """Return what is to be learnt: 0 where ``x₁ <= 0``, so that there all points become one."""
    right = x[:, :1].clamp_min(0) / _RADIUS
    angle = torch.arange(1, _SIZES[-1] // 2 + 1, dtype=x.dtype) / 2 * x[:, 1:]
    return torch.cat([right * angle.cos(), right * angle.sin()], dim=1)


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train networks of both kinds on two circles, and see whether these stay apart; write ``topology.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the networks.
        quick: Few networks and steps.
        tell: Told what is being done.
    """
    count, steps = (_QUICK_NETWORKS, _QUICK_STEPS) if quick else (_NETWORKS, _STEPS)
    angles = _QUICK_IMAGES if quick else _IMAGES
    made: dict[str, list[Trained]] = {}
    found: dict[str, float] = {}
    for kind, injective in _KINDS.items():
        tell(f"topology: {count} networks of {kind} layers")
        made[kind] = [train(injective, seed + k, steps, angles) for k in range(count)]
        gaps = np.array([one.gap for one in made[kind]])
        verdicts = np.array([one.verdict for one in made[kind]])
        found[f"{kind}: proved injective"] = float((verdicts == unrelu.Verdict.INJECTIVE).mean())
        found[f"{kind}: refuted"] = float((verdicts == unrelu.Verdict.NOT_INJECTIVE).mean())
        found[f"{kind}: circles joined"] = float((gaps < _SAME).mean())
        found[f"{kind}: smallest gap"] = float(gaps.min())
        found[f"{kind}: median gap"] = float(np.median(gaps))
        found[f"{kind}: images of one part"] = float(np.mean([parts(one.images) == 1 for one in made[kind]]))
        found[f"{kind}: median error"] = float(np.median([one.error for one in made[kind]]))
    # Shown is the first seed whose ordinary network joins the circles.
    shown = next((k for k, one in enumerate(made["ordinary"]) if one.gap < _SAME), 0)
    save(_picture({kind: of[shown] for kind, of in made.items()}), folder / "topology.png")
    return found


def train(injective: bool, seed: int, steps: int, angles: int = _IMAGES) -> Trained:
    """Train a network, and look how near to each other it brings the circles, at so many angles."""
    x = torch.cat([circle(_angles(_ANGLES), height) for height in _HEIGHTS])
    y = target(x)
    model = with_output(network(_SIZES, injective, seed), _SIZES[-1], y.shape[1], seed)
    fit(model, x, y, steps)
    model = frozen(model)
    off = (model(x) - y).square().sum(dim=1).mean() / (y - y.mean(dim=0)).square().sum(dim=1).mean()
    images = torch.stack([model(circle(_angles(angles), height)) for height in _HEIGHTS])
    return Trained(model, float(off.sqrt()), images.numpy(), gap(model), decided(model))


def _angles(count: int) -> torch.Tensor:
    return torch.linspace(0, 2 * torch.pi, count + 1, dtype=torch.float64)[:-1]


def decided(model: nn.Sequential) -> unrelu.Verdict:
    """Decide whether a network is injective on the plane, and check the proof."""
    net = unrelu.trace(model, torch.zeros(1, _SIZES[0], dtype=torch.float64))
    decision = unrelu.decide(net, n_jobs=1)
    accepted = decision.certificate is not None and unrelu.verify(decision.certificate, net).valid
    return decision.verdict if accepted else unrelu.Verdict.UNKNOWN


def gap(model: nn.Sequential) -> float:
    """Return the smallest distance between the circles' images, by descents from near samples."""
    angle = _angles(_ANGLES)
    images = [model(circle(angle, height)) for height in _HEIGHTS]
    near = torch.cdist(*images).flatten().argsort()[:_ANGLES]
    starts = torch.stack([angle[near // _ANGLES], angle[near % _ANGLES]], dim=1)

    def apart(angles: torch.Tensor) -> torch.Tensor:
        points = [circle(one, height) for one, height in zip(angles.T, _HEIGHTS, strict=True)]
        return model(points[0]) - model(points[1])

    found = levenberg_marquardt(apart, torch.zeros_like(images[0]), starts)
    return float(found.residual.min())


def distances(images: np.ndarray) -> np.ndarray:
    """Return the distance from each sample of the first image to the nearest one of the other."""
    return cKDTree(images[1]).query(images[0])[0]


def parts(images: np.ndarray) -> int:
    """Return into how many parts two images fall where samples hang together that are near each other.

    Near are those no farther apart than two neighbours on an image, so that each image is one part.
    """
    steps = np.linalg.norm(images - np.roll(images, 1, axis=1), axis=-1)
    return 1 if distances(images).min() <= steps.max() else 2


def _picture(shown: dict[str, Trained]) -> Figure:
    with drawing():
        figure, axes = panels(1, 4, width=7.2, height=2.4, width_ratios=(0.8, 1.2, 1.2, 1.2))
        latent, *images, right = axes[0]
        angle = _angles(_ANGLES)
        for height, color in zip(_HEIGHTS, COLORS, strict=False):
            latent.plot(*circle(angle, height).T.numpy(), color=color)
        latent.axvspan(-1, 0, color=LIGHT.grid, linewidth=0)
        latent.set(title="inputs", xlabel="x₁", ylabel="x₂", xlim=(-1, 1), aspect="equal")
        for panel, (kind, one) in zip(images, shown.items(), strict=True):
            _draw_images(panel, one)
            panel.set_title(f"{kind}: gap {one.gap if one.gap >= _SAME else 0:.2g}")
        for (kind, one), color, dashes in zip(shown.items(), (COLORS[2], COLORS[3]), DASHES, strict=False):
            nearest = distances(one.images)
            places = np.linspace(0, 2, len(nearest), endpoint=False)
            right.semilogy(places, nearest.clip(_FLOOR), dashes, color=color, label=kind)
        right.axvspan(0.5, 1.5, color=LIGHT.grid, linewidth=0)
        right.set(title="blue to red image", xlabel="angle on blue / π", ylabel="distance")
        ticks = {_FLOOR: "0", 1e-4: "0.0001", 1e-2: "0.01", 1: "1"}
        right.set_yticks(list(ticks), list(ticks.values()))
        right.minorticks_off()
        right.legend(frameon=False, loc="lower left")
    return figure


def _draw_images(panel: Axes, one: Trained) -> None:
    """Draw the images of the circles on the plane that shows most of them."""
    points = one.images.reshape(-1, one.images.shape[-1])
    centre = points.mean(axis=0)
    plane = np.linalg.svd(points - centre, full_matrices=False)[2][:2].T
    for image, color in zip(one.images, COLORS, strict=False):
        panel.plot(*((np.vstack([image, image[:1]]) - centre) @ plane).T, color=color)
    panel.set(xlabel="first component", ylabel="second")
    panel.set_aspect("equal", adjustable="datalim")
