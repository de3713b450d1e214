"""Figure 2: the two measures of invertibility of the first layer while it is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .._pictures import COLORS, DASHES, drawing, panels, save, whole_numbers
from .._training import Tell
from ._paper import REDUNDANCIES, runs, trained

DATA = {"mnist": "MNIST, n = 784", "iris": "Iris, n = 4", "iris-3": "Iris, n = 3"}
MEASURES = {"points": "test points with n active rows", "biases": "biases with α ≤ α*"}


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train at redundancy 2, 3 and 9; return both measures at start and end and write ``figure2.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the first run.
        quick: Few data, one epoch, one run; redundancy 2 alone.
        tell: Told what is being done.
    """
    redundancies = REDUNDANCIES[:1] if quick else REDUNDANCIES
    curves = {
        (data, redundancy): _curves(data, redundancy, seed, quick, tell)
        for data in DATA
        for redundancy in redundancies
    }
    save(_picture(curves), folder / "figure2.png")
    return {
        f"{data} {redundancy}x: {measure}, {when}": float(values[measure][place])
        for (data, redundancy), values in curves.items()
        for measure in MEASURES
        for when, place in (("start", 0), ("end", -1))
    }


def _curves(data: str, redundancy: int, seed: int, quick: bool, tell: Tell) -> dict[str, np.ndarray]:
    """Return each measure by epoch, the mean over the runs."""
    histories = [
        trained(data, redundancy, seed=number, quick=quick, tell=tell)[1].history
        for number in runs(data, seed, quick)
    ]
    return {
        measure: np.mean([[record[measure] for record in history] for history in histories], axis=0)
        for measure in MEASURES
    }


def _picture(curves: dict[tuple[str, int], dict[str, np.ndarray]]) -> Figure:
    with drawing():
        figure, axes = panels(len(DATA), 2, width=7.2, height=6.6, sharey=True)
        for (data, redundancy), values in curves.items():
            row = axes[list(DATA).index(data)]
            style = REDUNDANCIES.index(redundancy)
            for panel, measure in zip(row, MEASURES, strict=True):
                panel.plot(
                    100 * values[measure],
                    color=COLORS[style],
                    linestyle=DASHES[style],
                    label=f"m/n = {redundancy}",
                )
        for row, title in zip(axes, DATA.values(), strict=True):
            row[0].set(ylim=(-4, 104), ylabel=f"{title}\nper cent")
            for panel in row:
                whole_numbers(panel)
        for panel, title in zip(axes[0], MEASURES.values(), strict=True):
            panel.set_title(title)
        for panel in axes[-1]:
            panel.set_xlabel("epoch")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", frameon=False, ncols=3)
    return figure
