"""Figure 5: smallest and largest singular values of the active rows over the test set, the sets A and B."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._pictures import COLORS, drawing, panels, save
from .._training import Tell
from ._measures import singular_values
from ._paper import trained
from ._training import Method

DATA = {"iris": "Iris", "mnist": "MNIST"}
_LABELS = {Method.NONE: "unregularised", Method.PENALTY: "approximately invertible"}
_POINTS = 500  # test digits, evenly spread; all flowers are taken

Sets = dict[Method, tuple[np.ndarray, np.ndarray]]


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Measure the networks of Figure 3; return the ends and medians of A and B and write ``figure5.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the training.
        quick: Few data, one epoch.
        tell: Told what is being done.
    """
    found: dict[str, Sets] = {}
    for data in DATA:
        found[data] = {}
        for method in _LABELS:
            split, network = trained(data, 2, method, seed=seed, quick=quick, tell=tell)
            tell(f"{data}, {method}: singular values")
            points = split.x_test[split.spread(4 if quick else _POINTS)]
            found[data][method] = singular_values(network.layer, points)
    save(_picture(found), folder / "figure5.png")
    figures = {}
    for data, sets in found.items():
        for method, (smallest, largest) in sets.items():
            figures[f"{data}, {method}: points with A = 0"] = float((smallest == 0).mean())
            figures[f"{data}, {method}: median of A"] = float(np.median(smallest))
            figures[f"{data}, {method}: maximum of B"] = float(largest.max())
    return figures


def _picture(found: dict[str, Sets]) -> Figure:
    with drawing():
        figure, axes = panels(len(found), 2, width=7.2, height=4.6)
        for row, (data, sets) in zip(axes, found.items(), strict=True):
            for panel, place, name in zip(row, (0, 1), ("A: smallest", "B: largest"), strict=True):
                _histograms(panel, {_LABELS[method]: pair[place] for method, pair in sets.items()})
                panel.set_title(f"{DATA[data]}, {name} singular value")
            row[0].set_ylabel("test points")
        for panel in axes[-1]:
            panel.set_xlabel("singular value of the active rows")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", frameon=False, ncols=2)
    return figure


def _histograms(panel: Axes, kinds: dict[str, np.ndarray]) -> None:
    together = np.concatenate(list(kinds.values()))
    bins = np.linspace(together.min(), together.max() or 1.0, 31)
    for (label, values), color in zip(kinds.items(), COLORS, strict=False):
        panel.hist(values, bins=bins, color=color, alpha=0.6, label=label)
    panel.yaxis.get_major_locator().set_params(integer=True)
