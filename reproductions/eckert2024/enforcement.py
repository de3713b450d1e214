"""unrelu's own experiment: how well remedies keep MNIST recoverable from the first layer of 784 → 1568 → 10.

Not in the paper: the paper's penalty, projection onto the maximal bias, and the margin penalty, each with the
same budget of epochs; the margin penalty also at redundancy 1.2, where a random layer loses every point.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .._data import Split, mnist
from .._pictures import COLORS, MUTED, drawing, panels, save
from .._training import Tell
from ._measures import Reconstruction, active_rows, reconstruct
from ._training import Method, Recipe, Trained, train

BASE = Recipe(redundancy=2, lr=1e-3, batch=128, epochs=5, estimates=4)
SEEDS = 3
_POINTS = {Method.MARGIN: 10_000}  # points to reconstruct; of the others a sample tells enough
_SAMPLE = 1000


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train and measure all remedies; return the named figures and write ``enforcement.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the first of three runs.
        quick: Few images, one epoch, one run.
        tell: Told what is being done.
    """
    split = mnist(quick)
    seeds = range(seed, seed + (1 if quick else SEEDS))
    base = replace(BASE, epochs=1, n_samples=200) if quick else BASE
    found: dict[str, float] = {}
    active: dict[str, np.ndarray] = {}
    for name, recipe in _variants(base).items():
        runs = []
        for number in seeds if recipe.redundancy == BASE.redundancy else seeds[:1]:
            trained = train(split, replace(recipe, seed=number), tell=tell)
            tell(f"{name}: reconstructing test digits, seed {number}")
            runs.append(_figures(trained, split, 4 if quick else _POINTS.get(recipe.method, _SAMPLE)))
            active.setdefault(name, active_rows(trained.layer, split.x_test))
        found |= _summary(name, runs)
    save(_picture(active, split.n), folder / "enforcement.png")
    return found


def _variants(base: Recipe) -> dict[str, Recipe]:
    variants = {method.value: replace(base, method=method) for method in Method}
    return {**variants, "margin at 1.2x": replace(base, method=Method.MARGIN, redundancy=1.2)}


def _figures(trained: Trained, split: Split, points: int) -> dict[str, np.ndarray]:
    """Return what was measured of one run, a scalar or one number a point."""
    index = split.spread(points)
    found: Reconstruction = reconstruct(trained.layer, split.x_test[index])
    return {
        "accuracy": np.array([trained.history[-1]["accuracy"]]),
        "counted": active_rows(trained.layer, split.x_test) >= split.n,
        "unique": found.unique,
        "error": found.error,
    }


def _summary(name: str, runs: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Return the figures of one remedy over its runs."""
    together = {key: np.concatenate([run[key] for run in runs]) for key in runs[0]}
    return {
        f"{name}: accuracy": float(together["accuracy"].mean()),
        f"{name}: points with n active rows": float(together["counted"].mean()),
        f"{name}: points proved singletons": float(together["unique"].mean()),
        f"{name}: mean error": float(together["error"].mean()),
        f"{name}: largest error": float(together["error"].max()),
    }


def _picture(active: dict[str, np.ndarray], n: int) -> Figure:
    bins = np.arange(0, max(counts.max() for counts in active.values()) + 16, 16)
    with drawing():
        figure, axes = panels(1, 1, width=6.4, height=3.0)
        for (name, counts), color in zip(active.items(), COLORS, strict=False):
            axes[0, 0].hist(counts, bins=bins, histtype="step", color=color, label=name, linewidth=1.4)
        axes[0, 0].axvline(n, color=MUTED, linewidth=1, linestyle="--", label=f"n = {n}")
        axes[0, 0].set(xlabel="strictly active rows of a test digit", ylabel="test digits")
        figure.legend(loc="outside upper left", frameon=False, ncols=3)
    return figure
