"""Figure 3: test accuracy while training, with the paper's penalty and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .._pictures import COLORS, drawing, panels, save, whole_numbers
from .._training import Tell
from ._paper import runs, trained
from ._training import Method

DATA = {"iris": "Iris", "mnist": "MNIST"}
_LINES = {Method.NONE: ("unregularised", "-"), Method.PENALTY: ("approximately invertible", "--")}


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train at redundancy 2; return the final accuracies and write ``figure3.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the first run.
        quick: Few data, one epoch, one run.
        tell: Told what is being done.
    """
    curves = {
        (data, method): _accuracy(data, method, seed, quick, tell) for data in DATA for method in _LINES
    }
    save(_picture(curves), folder / "figure3.png")
    found = {f"{data}, {method}: accuracy": float(curve[-1]) for (data, method), curve in curves.items()}
    costs = {
        f"{data}: accuracy lost": float(curves[data, Method.NONE][-1] - curves[data, Method.PENALTY][-1])
        for data in DATA
    }
    return found | costs


def _accuracy(data: str, method: Method, seed: int, quick: bool, tell: Tell) -> np.ndarray:
    """Return the test accuracy by epoch, the mean over the runs."""
    networks = [trained(data, 2, method, seed=k, quick=quick, tell=tell)[1] for k in runs(data, seed, quick)]
    return np.mean([[record["accuracy"] for record in network.history] for network in networks], axis=0)


def _picture(curves: dict[tuple[str, Method], np.ndarray]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=2.9)
        for panel, (data, title) in zip(axes[0], DATA.items(), strict=True):
            for method, (label, dashes) in _LINES.items():
                color = COLORS[method is Method.PENALTY]
                values = 100 * curves[data, method][1:]
                panel.plot(range(1, len(values) + 1), values, color=color, linestyle=dashes, label=label)
            panel.set(title=title, xlabel="epoch")
            whole_numbers(panel)
        axes[0, 0].set_ylabel("test accuracy in per cent")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", frameon=False, ncols=2)
    return figure
