"""Slides 12 to 16: directed spanning sets in the plane, wedge by wedge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Wedge

import unrelu
from unrelu._drawing import LIGHT
from unrelu.injectivity.random_matrices import Wedges, exact_probability, wedges

from .._pictures import MUTED, drawing, panels, save
from .._training import Tell
from ._plane import directions

_ANGLES = {"injective": (18, 90, 162, 234, 306), "not injective": (18, 90, 162, 170, 306)}  # of rows, degrees
_SHOWN = {"injective": 270.0, "not injective": 274.0}  # angle of the input whose active rows are bold
_ROWS = 6  # of the random layers
_LAYERS, _QUICK_LAYERS = 300, 10
_SPANS, _FAILS = "#cfe3f1", "#f6d3bd"


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw the wedges of two layers, and compare wedges with decisions on random ones; write ``dss.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the random layers.
        quick: Few random layers.
        tell: Told what is being done.
    """
    tell("directed spanning sets: two layers")
    layers = {name: directions(np.deg2rad(angles)) for name, angles in _ANGLES.items()}
    cuts = {name: wedges(weight) for name, weight in layers.items()}
    save(_picture(layers, cuts), folder / "dss.png")
    found = {}
    for name, cut in cuts.items():
        found[f"{name}: wedges"] = float(len(cut.start))
        found[f"{name}: wedges whose active rows span"] = float(cut.spans.sum())
        found[f"{name}: decided injective"] = float(_decided(layers[name]))
    tell("directed spanning sets: random layers")
    rng = np.random.default_rng(seed)
    drawn = [rng.standard_normal((_ROWS, 2)) for _ in range(_QUICK_LAYERS if quick else _LAYERS)]
    all_span = np.array([wedges(weight).spans.all() for weight in drawn])
    decided = np.array([_decided(weight) for weight in drawn])
    found["random: all wedges span, share of layers"] = float(all_span.mean())
    found["random: probability"] = float(exact_probability(_ROWS, 2))
    found["random: decided otherwise"] = float((all_span != decided).sum())
    return found


def _decided(weight: np.ndarray) -> bool:
    """Whether a layer is injective; its proof is checked."""
    decision = unrelu.decide(unrelu.ReLULayer(weight), n_jobs=1)
    assert decision.certificate is not None and unrelu.verify(decision.certificate).valid
    return decision.verdict == unrelu.Verdict.INJECTIVE


def _picture(layers: dict[str, np.ndarray], cuts: dict[str, Wedges]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=4.0)
        for panel, name in zip(axes[0], layers, strict=True):
            panel.set(title=name, xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal", xlabel="x₁")
            panel.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
            panel.grid(visible=False)
            _draw_wedges(panel, cuts[name])
            _draw_rows(panel, layers[name], np.deg2rad(_SHOWN[name]))
        axes[0, 0].set_ylabel("x₂")
        _draw_collision(axes[0, 1], layers["not injective"], np.deg2rad(_SHOWN["not injective"]))
        handles = [
            Patch(color=_SPANS, label="active rows span"),
            Patch(color=_FAILS, label="do not span"),
            *axes[0, 0].get_legend_handles_labels()[0][1:],
            *axes[0, 1].get_legend_handles_labels()[0][-1:],
        ]
        figure.legend(handles=handles, loc="outside upper left", frameon=False, ncols=3)
    return figure


def _draw_wedges(panel: Axes, cut: Wedges) -> None:
    """Colour each wedge, and write into it how many rows are active."""
    for start, end, point, active, spans in zip(
        cut.start, cut.end, cut.points, cut.active, cut.spans, strict=True
    ):
        degrees = np.rad2deg([start, end])
        color = _SPANS if spans else _FAILS
        panel.add_patch(Wedge((0, 0), 1.15, *degrees, facecolor=color, edgecolor=LIGHT.paper, linewidth=1.2))
        if end - start > np.deg2rad(10):
            panel.text(
                1.23 * point[0],
                1.23 * point[1],
                str(active.sum()),
                ha="center",
                va="center",
                fontsize=8,
                color=MUTED,
            )


def _draw_rows(panel: Axes, weight: np.ndarray, angle: float) -> None:
    x = 0.75 * directions(np.array(angle))
    active = weight @ x >= 0
    for mask, width in ((active, 0.018), (~active, 0.007)):
        rows = 0.9 * weight[mask]
        zero = np.zeros(len(rows))
        shape: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": width}
        panel.quiver(
            zero, zero, *rows.T, **shape, color=LIGHT.ink, label="row, bold where active at x", zorder=3
        )
    panel.plot(*x, "o", color=LIGHT.mark, markersize=5, label="x", zorder=4)
    panel.annotate("x", tuple(x), xytext=(2, -12), textcoords="offset points", color=LIGHT.mark)


def _draw_collision(panel: Axes, weight: np.ndarray, angle: float) -> None:
    """Draw inputs with the output of ``x``: a line that ends where another row becomes active."""
    x = 0.75 * directions(np.array(angle))
    (active,) = np.flatnonzero(weight @ x >= 0)
    direction = np.array([-weight[active, 1], weight[active, 0]])
    others = np.delete(weight, active, axis=0)
    steps = -(others @ x) / (others @ direction)
    ends = x + np.array([steps[steps < 0].max(), steps[steps > 0].min()])[:, None] * direction
    panel.plot(*ends.T, color=LIGHT.mark, linewidth=2.5, label="inputs with the same output as x", zorder=3)
