"""Figure 9: how many rows meet Lemma 9's correlation condition, in layer 4 of WideCIFAR at one test image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from unrelu import trace
from unrelu.stability import correlation_bound, correlation_counts, linearise

from .._pictures import COLORS, MUTED, drawing, panels, save
from .._training import Tell
from ._cifar import WIDE, cifar_network

_LAYER = 3  # from 0
_QUICK_WINDOW = 6
_POINTS = 200


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw the counts against the constant; return the constant at which all rows meet the condition.

    Args:
        folder: Where ``figure9.png`` goes.
        seed: Of the training.
        quick: Few data, one epoch, a window of the input.
        tell: Told what is being done.
    """
    trained = cifar_network(replace(WIDE, seed=seed), quick=quick, tell=tell)
    tell("figure 9: correlations of removed rows with kept ones")
    network = trace(trained.model, trained.x[:1])
    name = list(network)[_LAYER]
    found = linearise(network, trained.x[:1], name, window=_QUICK_WINDOW if quick else None)
    matrix, kept = np.asarray(found.matrix), np.asarray(found.active)
    bound = correlation_bound(matrix, kept)
    needed = float(bound.constants.min(initial=np.inf))
    constants = np.linspace(0, 1.15 * needed, _POINTS)
    counts = correlation_counts(matrix, kept, constants)
    save(_picture(constants, counts, bound.kept, needed), folder / "figure9.png")
    sizes = np.linalg.svd(matrix[kept], compute_uv=False)
    return {
        "layer 4: kept rows": float(bound.kept),
        "layer 4: constant that all rows meet": needed,
        "layer 4: largest singular value": float(sizes[0]),
        "layer 4: smallest singular value": float(sizes[-1]),
    }


def _picture(constants: np.ndarray, counts: np.ndarray, kept: int, needed: float) -> Figure:
    with drawing():
        figure, axes = panels(1, 1, width=5.6, height=3.4)
        panel = axes[0, 0]
        panel.plot(constants, counts, color=COLORS[0], label="rows that meet the condition")
        panel.axhline(kept, color=COLORS[1], linewidth=1, label=f"all {kept:,} rows kept by the ReLU")
        panel.axvline(needed, color=MUTED, linewidth=1, linestyle=":", label=f"c = {needed:.2g}")
        panel.set(xlabel="constant c of Lemma 9", ylabel="rows, for the best removed row", ylim=(0, None))
        panel.legend(frameon=False)
    return figure
