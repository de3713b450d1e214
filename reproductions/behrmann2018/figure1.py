"""Figure 1: two circles, a hidden layer of 3 neurons: prediction, kinds of preimages, condition numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from unrelu import ReLULayer, preimages
from unrelu._drawing import LIGHT

from .._pictures import drawing, panels, save
from .._training import Tell
from ._circles import SmallNetworks, circles

NETWORKS, _QUICK_NETWORKS = 50, 4
_STEPS, _QUICK_STEPS = 3000, 200
_SIDE = 2.0  # the square [-2, 2]² is drawn
_PIXELS, _QUICK_PIXELS = 400, 60
KINDS = {"unbounded": "infinite", "bounded": "finite", "singleton": "unique"}
_SHADES = ("#e39a76", "#7fb4d8", "#eceff1")
_SAMPLES = ("#fdd9a8", "#cfc4e6")  # lighter than what the prediction should be


@dataclass(frozen=True, eq=False)
class Plane:
    """What there is to see of a network on a grid of the square, arrays of shape ``(side, side)``.

    Attributes:
        prediction: Probability of the inner circle.
        pattern: Number of the activation pattern of the hidden layer.
        kind: Kind of the preimage of the hidden layer's output.
        condition: Largest over smallest non-zero singular value of the active rows, 0 where none is active.
    """

    prediction: np.ndarray
    pattern: np.ndarray
    kind: np.ndarray
    condition: np.ndarray


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train 50 networks; count which kinds of preimages the best have, and draw the first that has all three.

    Args:
        folder: Where ``figure1.png`` goes.
        seed: Of the samples and the initial weights.
        quick: Fewer networks and steps, a coarser grid.
        tell: Told what is being done.
    """
    count = _QUICK_NETWORKS if quick else NETWORKS
    tell(f"figure 1: training {count} networks")
    x, inner = circles(seed=seed)
    networks = SmallNetworks(count, seed=seed)
    networks.fit(x, inner, _QUICK_STEPS if quick else _STEPS)
    accuracy = networks.accuracy(x, inner)
    tell("figure 1: preimages")
    best = torch.nonzero(accuracy == accuracy.max()).flatten().tolist()
    planes = [survey(networks, k, _QUICK_PIXELS if quick else _PIXELS) for k in best]
    kinds = [set(plane.kind.flat) for plane in planes]
    shown = max(range(len(best)), key=lambda place: (len(kinds[place]), -place))
    layer = networks.layer(best[shown])
    save(_picture(planes[shown], layer, x.numpy(), inner.numpy()), folder / "figure1.png")
    return {
        "best accuracy: networks": float(accuracy.max()),
        "with this accuracy: networks": len(best) / count,
        "these, all three kinds: networks": float(np.mean([len(k) == len(KINDS) for k in kinds])),
        "these, no infinite preimage: networks": float(np.mean(["unbounded" not in k for k in kinds])),
        **_figures(planes[shown]),
    }


def survey(networks: SmallNetworks, k: int, side: int) -> Plane:
    """Survey a network; kind and condition are the same all over a region where the same rows are active."""
    ticks = (np.arange(side) + 0.5) / side * 2 * _SIDE - _SIDE
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    layer = networks.layer(k)
    active = layer.preactivation(points) > 0
    codes = (active * 2 ** np.arange(layer.m)).sum(axis=1)
    _, first, number = np.unique(codes, return_index=True, return_inverse=True)
    kinds = preimages(layer, points[first], n_jobs=1).kinds
    condition = np.array([_condition(layer.dense().numpy()[active[k]]) for k in first])
    with torch.no_grad():
        prediction = networks(torch.as_tensor(points, dtype=torch.float32))[k].sigmoid().numpy()
    maps = (prediction, number, kinds[number], condition[number])
    return Plane(*(values.reshape(side, side) for values in maps))


def _condition(rows: np.ndarray) -> float:
    sigma = np.linalg.svd(rows, compute_uv=False)
    return float(sigma[0] / sigma[sigma > 0][-1]) if sigma.any() else 0.0


def _figures(plane: Plane) -> dict[str, float]:
    """Return the share of the square and the range of condition numbers of each kind."""
    found = {}
    for kind, name in KINDS.items():
        condition = plane.condition[plane.kind == kind]
        found[f"{name}: of the square"] = condition.size / plane.kind.size
        if condition.size:
            found[f"{name}: smallest condition"] = float(condition.min())
            found[f"{name}: largest condition"] = float(condition.max())
    return found


def _picture(plane: Plane, layer: ReLULayer, x: np.ndarray, inner: np.ndarray) -> Figure:
    with drawing():
        figure, axes = panels(1, 3, width=7.2, height=3.3)
        left, middle, right = axes[0]
        image = _show(left, plane.prediction, "prediction", cmap="PuOr", vmin=0, vmax=1)
        for value, color in ((0, _SAMPLES[0]), (1, _SAMPLES[1])):
            left.scatter(*x[inner == value].T, s=2.5, color=color, linewidths=0)
        _bar(figure, left, image, "probability of the inner circle", (0, 0.5, 1))
        codes = np.vectorize(list(KINDS).index, otypes=[int])(plane.kind)
        image = _show(middle, codes, "preimage", cmap=ListedColormap(list(_SHADES)), vmin=-0.5, vmax=2.5)
        bar = _bar(figure, middle, image, "kind of the preimage", range(3))
        bar.ax.set_xticklabels(list(KINDS.values()))
        bar.ax.tick_params(length=0)
        highest = max(2.0, float(plane.condition.max()))
        image = _show(right, plane.condition, "condition", cmap="viridis", vmin=0, vmax=highest)
        _bar(figure, right, image, "condition (0: none active)", None)
        left.set_ylabel("x₂")
        for panel in axes[0]:
            _draw_neurons(panel, layer)
    return figure


def _show(panel: Axes, values: np.ndarray, title: str, **options: Any) -> AxesImage:
    panel.set(title=title, xticks=range(-2, 3), yticks=range(-2, 3), xlabel="x₁")
    panel.grid(visible=False)
    square = (-_SIDE, _SIDE, -_SIDE, _SIDE)
    return panel.imshow(values, origin="lower", extent=square, interpolation="none", **options)


def _bar(
    figure: Figure, panel: Axes, image: AxesImage, label: str, ticks: Iterable[float] | None
) -> Colorbar:
    return figure.colorbar(image, ax=panel, location="bottom", label=label, ticks=ticks, aspect=16)


def _draw_neurons(panel: Axes, layer: ReLULayer) -> None:
    """Draw the line on which each neuron switches."""
    for row, offset in zip(layer.dense().numpy(), layer.bias.numpy(), strict=True):
        foot = -offset * row / (row @ row)
        panel.axline(foot, foot + np.array([-row[1], row[0]]), color=LIGHT.ink, linewidth=0.8)
    panel.set(xlim=(-_SIDE, _SIDE), ylim=(-_SIDE, _SIDE))
