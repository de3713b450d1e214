"""Figures 7 and 12: digits, and inputs with the same first features that look like other digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._pictures import drawing, panels, save
from .._training import Tell
from ._collisions import OBJECTIVES, Collider, Pair
from ._training import deep_network

_ORIGINALS, _TARGETS = 2, 2  # digits shown, and targets of each
_TITLES = ("original", "target", "paper's: largest ⟨c, x⟩", "ours: nearest to c")


Row = dict[str, Pair]  # of the same digit and target, by objective


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw the digits with the fewest positive outputs towards other classes; return how far they come.

    Args:
        folder: Where ``figure7.png`` goes.
        seed: Of the training.
        quick: Few data, one epoch.
        tell: Told what is being done.
    """
    trained = deep_network(seed=seed, quick=quick, tell=tell)
    tell("figure 7: inputs with the same features")
    collider = Collider(trained)
    positive = collider.positive_outputs()
    originals = _originals(positive, trained.split.y_test.numpy())[: 1 if quick else _ORIGINALS]
    rows = [row for digit in originals for row in _rows(collider, digit, targets=2 if quick else 9)]
    save(_picture(collider, rows, positive), folder / "figure7.png")
    return {
        "network: accuracy": trained.accuracy,
        "original: fewest positive outputs": float(positive.min()),
        "original: mean distance to target": float(np.mean([row["linear"].start for row in rows])),
        **{
            f"{objective}: {name}": value
            for objective in OBJECTIVES
            for name, value in _figures([row[objective] for row in rows]).items()
        },
    }


def _figures(pairs: list[Pair]) -> dict[str, float]:
    return {
        "mean distance to target": float(np.mean([pair.end for pair in pairs])),
        "proved": float(np.mean([pair.proved for pair in pairs])),
        "largest difference of outputs": max(pair.difference for pair in pairs),
    }


def _originals(positive: np.ndarray, classes: np.ndarray) -> list[int]:
    """Return the digit of each class with the fewest positive outputs, the fewest first."""
    order = np.argsort(positive, kind="stable")
    _, first = np.unique(classes[order], return_index=True)
    return order[np.sort(first)].tolist()


def _rows(collider: Collider, digit: int, targets: int) -> list[Row]:
    """Draw a digit towards one digit of each of some other classes, and keep the nearest results."""
    classes = collider.trained.split.y_test
    others = [int((classes == k).nonzero()[0]) for k in range(10) if k != classes[digit]]
    found = [collider.pair(digit, target, "euclidean") for target in others[:targets]]
    nearest = sorted(found, key=lambda pair: pair.end)[:_TARGETS]
    return [{"linear": collider.pair(digit, pair.target, "linear"), "euclidean": pair} for pair in nearest]


def _picture(collider: Collider, rows: list[Row], positive: np.ndarray) -> Figure:
    digits = collider.trained.split.x_test
    with drawing():
        figure, axes = panels(len(rows), len(_TITLES), width=6.4, height=7.4)
        for panel, title in zip(axes[0], _TITLES, strict=True):
            panel.set_title(title)
        for row, line in zip(rows, axes, strict=True):
            pair = row["linear"]
            _show(line[0], digits[pair.digit], f"{positive[pair.digit]} positive outputs")
            _show(line[1], digits[pair.target], f"{pair.start:.1f} from the original")
            for panel, pair in zip(line[2:], row.values(), strict=True):
                _show(panel, pair.x, f"{pair.end:.1f} from the target")
    return figure


def _show(panel: Axes, image: torch.Tensor, caption: str) -> None:
    panel.imshow(image.reshape(28, 28).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="none")
    panel.set(xticks=[], yticks=[], xlabel=caption)
