"""Slides 24 to 27: the inverse Lipschitz constant of layers of the plane, and three bounds of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT
from unrelu.injectivity.random_matrices import wedges

from .._pictures import COLORS, drawing, panels, save
from .._training import Tell
from ._opposite import opposite
from ._plane import injective_layers, ratio_of, sigma_star, smallest_ratio

_ROWS = (5, 6, 8, 12, 16)  # of the Gaussian layers
_LAYERS, _QUICK_LAYERS = 60, 2  # of each kind
_DIRECTIONS, _QUICK_DIRECTIONS = 360, 60
_PAIRS, _QUICK_PAIRS = 100_000, 1000
_EXACT = 1 - 1e-9  # a ratio below this many times a bound is below it beyond rounding
_STYLES = ((COLORS[1], "-"), (COLORS[2], "--"), (COLORS[0], ":"))


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Look for pairs with outputs near each other, compare with three bounds, and write ``lipschitz.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the layers and pairs.
        quick: Fewer layers, directions and pairs.
        tell: Told what is being done.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, float] = {}
    least, random = {}, {}
    for name, layers in _layers(_QUICK_LAYERS if quick else _LAYERS, rng).items():
        tell(f"inverse Lipschitz constant: {name}")
        cuts = [wedges(weight) for weight in layers]
        stars = np.array([*map(sigma_star, layers, cuts)])
        fine = _QUICK_DIRECTIONS if quick else _DIRECTIONS
        ratios = [smallest_ratio(weight, cut, fine)[0] for weight, cut in zip(layers, cuts, strict=True)]
        # Inside of a wedge f is linear: the ratio of two inputs near each other comes down to sigma*.
        least[name] = np.minimum(1.0, ratios / stars)
        pairs = rng.standard_normal((2, _QUICK_PAIRS if quick else _PAIRS, 2))
        random[name] = ratio_of(layers[0], *pairs) / stars[0]
        found[f"{name}: smallest ratio / σ*"] = float(least[name].min())
        found[f"{name}: layers with pairs below σ*"] = float((least[name] < _EXACT).mean())
        for bound, value in _bounds(len(layers[0])).items():
            found[f"{name}: random pairs below {bound}"] = float((random[name] < value * _EXACT).mean())
    save(_picture(random["[B; -B]"], least), folder / "lipschitz.png")
    return found


def _layers(count: int, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Draw injective layers of every kind."""
    return {
        "[B; -B]": [opposite(2, rng, largest=1.0) for _ in range(count)],
        "[B; -DB]": [opposite(2, rng) for _ in range(count)],
        **{f"Gaussian, m = {m}": [weight for weight, _ in injective_layers(m, count, rng)] for m in _ROWS},
    }


def _bounds(m: int) -> dict[str, float]:
    """Return what is stated as a lower bound of the ratio, divided by ``σ*``."""
    return {"σ*": 1.0, "σ*/2": 0.5, "σ*/√(2m)": 1 / float(np.sqrt(2 * m))}


def _picture(random: np.ndarray, least: dict[str, np.ndarray]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=3.6, width_ratios=(1, 1.25))
        left, right = axes[0]
        left.hist(random, bins=np.linspace(0, 3, 91), color=LIGHT.muted, alpha=0.6)
        left.set(title="one layer [B; -B], random pairs", ylabel="pairs", xlim=(0, 3))
        left.set_xlabel("|f(x) - f(y)| / |x - y|, in units of σ*")
        for (name, value), (color, dashes) in zip(_bounds(4).items(), _STYLES, strict=True):
            left.axvline(value, color=color, linestyle=dashes, linewidth=1.6, label=name)
        _draw_least(right, least)
        handles, labels = left.get_legend_handles_labels()
        owners = ("stated by Eckert et al.", "Freeman and Haider", "the paper")
        named = [f"{label}: {owner}" for label, owner in zip(labels, owners, strict=True)]
        figure.legend(handles, named, loc="outside upper left", frameon=False, ncols=3)
    return figure


def _draw_least(panel: Axes, least: dict[str, np.ndarray]) -> None:
    """Draw the smallest ratio of every layer, one column a kind, and the bounds."""
    rows = (4, 4, *_ROWS)
    for place, (values, m) in enumerate(zip(least.values(), rows, strict=True)):
        spread = place + np.linspace(-0.3, 0.3, len(values))
        panel.plot(spread, values, ".", color=LIGHT.ink, markersize=3)
        for value, (color, dashes) in zip(_bounds(m).values(), _STYLES, strict=True):
            panel.hlines(value, place - 0.45, place + 0.45, color=color, linestyle=dashes, linewidth=1.6)
    names = ["[B; -B]", "[B; -DB]", *(f"m = {m}" for m in _ROWS)]
    panel.set(title="every layer, its worst pair found", xticks=range(len(names)), ylim=(0, 1.08))
    panel.set_xticklabels(names, rotation=35, ha="right")
    panel.set_ylabel("smallest ratio, in units of σ*")
    panel.grid(visible=False, axis="x")
