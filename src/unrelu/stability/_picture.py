"""The picture of a spectrum: decay of the singular values by layer (Behrmann et al. 2018, Figure 6)."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT, Theme, drawing, plain_powers
from unrelu.output import write_bytes
from unrelu.stability._format import picture_format

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unrelu.stability._result import LayerSpectrum, SpectrumResult, Values

_DIRECT = 8  # curves up to which each is named in the legend
_FLOOR = 1e-16  # of the largest value: what lies below is rounding


def write_picture(result: SpectrumResult, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write the picture as PNG, SVG or PDF by the file's ending.

    Raises:
        ArgumentError: If the ending is another one.
        OutputError: If the file cannot be written, or exists and `force` is false.
    """
    kind, stream = picture_format(path), io.BytesIO()
    metadata = {"CreationDate": None} if kind == "pdf" else {"Date": None} if kind == "svg" else None
    with drawing(LIGHT):
        decay(result).savefig(stream, format=kind, dpi=200, facecolor=LIGHT.paper, metadata=metadata)
    write_bytes(path, stream.getvalue(), force=force)


def decay(result: SpectrumResult, theme: Theme = LIGHT) -> Figure:
    """Draw the medians of the singular values before and after every ReLU against their number."""
    with drawing(theme):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        layers = result.layers
        shades = colormaps["viridis"](np.linspace(0.0, 0.88, max(1, len(layers))))
        for panel, title, values in (
            (left, "before the ReLU", [layer.up_to for layer in layers]),
            (right, "after the ReLU", [layer.through for layer in layers]),
        ):
            _quiet(panel, theme, title)
            for layer, curve, shade in zip(layers, values, shades, strict=True):
                draw_curve(panel, *shown(curve), layer.name, shade, line=curve.complete)
        samples = "median of " + (f"{result.samples:,} samples" if result.samples > 1 else "1 sample")
        left.set_ylabel(f"singular value, {samples}")
        _legend(figure, left, layers, theme)
    return figure


def shown(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return what a picture shows of them: the numbers, from 1, and the medians, of those that are not 0."""
    median = values.median
    kept = median > _FLOOR * median.max(initial=0.0)
    if values.complete and not math.isnan(values.median_rank):
        kept &= np.arange(len(median)) < values.median_rank
    return 1 + np.flatnonzero(kept), median[kept]


def draw_curve(
    panel: Axes,
    number: Sequence[int] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    label: str,
    color: str | np.ndarray,
    *,
    line: bool = True,
) -> None:
    """Draw singular values against their numbers: a line, or dots where they are few."""
    if line and len(number) > 1:
        panel.plot(number, values, color=color, label=label, linewidth=1.5)
    else:
        panel.plot(number, values, ".", color=color, label=label)


def log_scale(panel: Axes) -> None:
    """Prepare axes for singular values against their numbers."""
    panel.set(yscale="log", xlabel="number of the singular value")
    plain_powers(panel.yaxis)


def _quiet(panel: Axes, theme: Theme, title: str) -> None:
    log_scale(panel)
    panel.set_title(title)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(visible=True, color=theme.grid, linewidth=0.7)
    panel.set_axisbelow(True)


def _legend(figure: Figure, panel: Axes, layers: Sequence[LayerSpectrum], theme: Theme) -> None:
    """Name the curves, evenly chosen ones where they are many."""
    handles, labels = panel.get_legend_handles_labels()
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(len(layers), _DIRECT)).round().astype(int))
    figure.legend(
        [handles[k] for k in chosen],
        [_short(labels[k]) for k in chosen],
        loc="outside upper left",
        frameon=False,
        labelcolor=theme.ink,
        ncols=min(len(chosen), 8),
    )


def _short(name: str, longest: int = 18) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
