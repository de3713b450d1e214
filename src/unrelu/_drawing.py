"""How pictures look: colours from Okabe and Ito, and settings of matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib.style
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter


@dataclass(frozen=True)
class Theme:
    """Colours of a picture; every pair that must be told apart differs for colour-blind readers too."""

    paper: str
    ink: str
    muted: str
    grid: str
    bar: str
    mark: str
    third: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#1f2328",
    muted="#59636e",
    grid="#dfe3e8",
    bar="#0072b2",
    mark="#d55e00",
    third="#e69f00",
)
DARK = Theme(
    paper="#15181c",
    ink="#e6e8eb",
    muted="#a3adb8",
    grid="#343b43",
    bar="#56b4e9",
    mark="#e69f00",
    third="#cc79a7",
)


def plain_powers(axis: Axis) -> None:
    """Write plain numbers at a logarithmic axis: `drawing` keeps dollar signs, and so matplotlib's source."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """Matplotlib's own defaults and the theme's colours, whatever the user's settings are."""
    settings = {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "legend.fontsize": 9,
        "axes.facecolor": "none",
        "axes.edgecolor": theme.muted,
        "axes.labelcolor": theme.ink,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "text.color": theme.ink,
        "hatch.linewidth": 0.7,
        "text.parse_math": False,  # a dollar sign in a layer's name is a dollar sign
        "svg.hashsalt": "unrelu",  # the same ids every time
    }
    with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
        # Names may hold characters that the font lacks; a box in their place is all that is lost.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*", category=UserWarning)
        yield
