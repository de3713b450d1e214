"""How the pictures look: white paper, quiet axes, the colours of Okabe and Ito."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unrelu.output import write_bytes

INK, MUTED, GRID = "#1f2328", "#59636e", "#dfe3e8"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", ":", "-.")

_SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's own defaults and our colours, whatever the user's settings are."""
    with matplotlib.style.context(["default", _SETTINGS]):
        yield


def panels(rows: int, columns: int, width: float, height: float, **options: object) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes, an array of shape ``(rows, columns)``; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def whole_numbers(axes: Axes) -> None:
    """Let the ticks of the x axis be whole numbers."""
    axes.xaxis.get_major_locator().set_params(integer=True)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, in place of an older one."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="png", dpi=150)
    write_bytes(path, stream.getvalue(), force=True)
    return path
