"""Table 1: mean reconstruction error on the test set, with and without what keeps the layer invertible.

Besides the paper's penalty: projection onto the maximal bias, and the margin penalty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .._pictures import COLORS, drawing, panels, save
from .._training import Tell
from ._measures import points_share, reconstruct
from ._paper import runs, trained
from ._training import Method

DATA = {"iris": "Iris", "iris-cm": "Iris, in centimetres", "mnist": "MNIST"}
_POINTS = 1000  # test digits that are reconstructed, evenly spread; all flowers are


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train with every method and reconstruct test points; return the figures and write ``table1.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the first run.
        quick: Few data, one epoch, one run.
        tell: Told what is being done.
    """
    found: dict[str, float] = {}
    for data in DATA:
        for method in Method:
            found |= _row(data, method, seed, quick, tell)
    save(_picture(found), folder / "table1.png")
    return found


def _row(data: str, method: Method, seed: int, quick: bool, tell: Tell) -> dict[str, float]:
    """Return the figures of one kind of data and one method, over all runs."""
    accuracy, share, errors = [], [], []
    for number in runs(data, seed, quick):
        split, network = trained(data, 2, method, seed=number, quick=quick, tell=tell)
        index = split.spread(4 if quick else _POINTS)
        tell(f"{data}, {method}: reconstructing")
        accuracy.append(network.history[-1]["accuracy"])
        share.append(points_share(network.layer, split.x_test))
        errors.append(reconstruct(network.layer, split.x_test[index]).error)
    row = {
        f"{data}, {method}: accuracy": float(np.mean(accuracy)),
        f"{data}, {method}: points with n active rows": float(np.mean(share)),
        f"{data}, {method}: mean error": float(np.mean(errors)),
        f"{data}, {method}: largest error": float(np.max(errors)),
    }
    # The layer for Iris has eight units: its runs differ widely.
    worst = {f"{data}, {method}: mean error of the worst run": float(np.mean(errors, axis=1).max())}
    return row | (worst if data != "mnist" else {})


def _picture(found: dict[str, float]) -> Figure:
    with drawing():
        figure, axes = panels(1, len(DATA), width=7.2, height=2.2, sharex=True, sharey=True)
        for panel, (data, title) in zip(axes[0], DATA.items(), strict=True):
            values = [found[f"{data}, {method}: mean error"] for method in Method]
            panel.barh(range(len(Method)), values, color=COLORS[0], height=0.6)
            for place, value in enumerate(values):
                panel.text(2 * value, place, f"{value:.2g}", va="center", fontsize=8)
            panel.grid(visible=False, axis="y")
            panel.set(title=title, xscale="log", xlim=(1e-17, 1e5))
            panel.set_xticks([1e-15, 1e-10, 1e-5, 1], labels=["1e-15", "1e-10", "1e-5", "1"])
        axes[0, 0].set_yticks(range(len(Method)), labels=[str(method) for method in Method])
        axes[0, 0].invert_yaxis()
        axes[0, 1].set_xlabel("mean Euclidean distance of reconstruction and input")
    return figure
