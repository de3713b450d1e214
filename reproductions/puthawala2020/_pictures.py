"""What the pictures with logarithmic axes have in common."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator


def plain_powers(panel: Axes) -> None:
    """Write every second power of ten of both axes as a plain number: text is not parsed as mathematics."""
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(base=100))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(LogLocator(base=10))
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
