"""The picture of a training run: both measures of Eckert et al. 2024, Figure 2, by layer against the step."""

from __future__ import annotations

import io
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT, drawing
from unrelu.errors import ArgumentError
from unrelu.output import check_writable, write_bytes

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unrelu.nn._invertibility import Invertibility

_LINES = (  # colours from Okabe and Ito; the dashes tell lines apart without them
    ("#0072b2", "-"),
    ("#d55e00", "--"),
    ("#009e73", "-."),
    ("#cc79a7", ":"),
    ("#e69f00", (0, (5, 1))),
    ("#56b4e9", (0, (1, 1))),
)
_KINDS = ("png", "svg", "pdf")


def draw_history(
    history: Sequence[Invertibility], path: str | os.PathLike[str], *, force: bool = False
) -> Path:
    """Draw a run and write it to a file; see `InvertibilityMonitor.plot`."""
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in _KINDS:
        raise ArgumentError(f"path: expected a file that ends in .png, .svg or .pdf, got {path}")
    if not history:
        raise ArgumentError("history: nothing was recorded yet")
    check_writable(path, force)
    stream = io.BytesIO()
    with drawing(LIGHT):
        metadata = {"Date": None} if kind == "svg" else None
        figure_of(history).savefig(stream, format=kind, dpi=200, metadata=metadata)
    write_bytes(path, stream.getvalue(), force=force)
    return Path(path)


def figure_of(history: Sequence[Invertibility]) -> Figure:
    """One panel a measure, one line a layer."""
    with_biases = any(layer.bias_share is not None for layer in history[-1].layers)
    figure = Figure(figsize=(7.2 if with_biases else 4.8, 3.2), layout="constrained")
    titles = {"singleton_share": "points with a singleton preimage"}
    if with_biases:
        titles["bias_share"] = "biases with α ≤ α*"
    panels = figure.subplots(1, len(titles), sharex=True, squeeze=False)[0]
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        _draw(axes, history, measure)
        axes.set(title=title, xlabel="step", ylabel="share in per cent", ylim=(-3, 103))
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper left", frameon=False, ncols=4)
    figure.supxlabel(_caption(history, with_biases), fontsize=8, color=LIGHT.muted)
    return figure


def _draw(axes: Axes, history: Sequence[Invertibility], measure: str) -> None:
    steps = np.array([record.step for record in history], dtype=float)
    for name, (color, dashes) in zip(history[-1], cycle(_LINES), strict=False):
        shares = np.array([getattr(record[name], measure) for record in history], dtype=float)
        label = f"layer {name}"
        axes.plot(steps, 100 * shares, color=color, linestyle=dashes, marker="o", markersize=3, label=label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=LIGHT.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", integer=True)


def _caption(history: Sequence[Invertibility], with_biases: bool) -> str:
    layer = history[-1].layers[0]
    how = "proved by rank" if layer.certified else "told by n active rows (general position)"
    text = f"{layer.samples:,} points; singleton preimages {how}."
    return text + " α*: maximal bias of the points (MCBE)." * with_biases
