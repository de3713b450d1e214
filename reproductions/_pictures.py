"""How the pictures look: unrelu's theme for white paper, quiet axes, the colours of Okabe and Ito."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT
from unrelu._drawing import drawing as themed
from unrelu.output import write_bytes

MUTED = LIGHT.muted
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", ":", "-.")

_QUIET = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT.grid,
    "grid.linewidth": 0.7,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Our theme and quiet axes, whatever the user's settings are."""
    with themed(LIGHT), matplotlib.style.context(_QUIET):
        yield


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes, an array of shape ``(rows, columns)``; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def whole_numbers(axes: Axes) -> None:
    """Let the ticks of the x axis be whole numbers."""
    axes.xaxis.get_major_locator().set_params(integer=True)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, in place of an older one."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="png", dpi=150, facecolor=LIGHT.paper)
    write_bytes(path, stream.getvalue(), force=True)
