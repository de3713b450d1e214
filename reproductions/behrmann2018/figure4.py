"""Figure 4: kinds of preimages of MNIST's test digits against the number of positive outputs, 784 → 3500."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unrelu import ReLULayer, preimages
from unrelu.frames import frame_of

from .._pictures import MUTED, drawing, panels, save
from .._training import Tell
from ._training import wide_network

PAPER_STRIP = (723, 784)  # positive outputs at which the paper found both finite and infinite preimages
KINDS = {"unbounded": "infinite", "bounded": "finite", "singleton": "unique", "undecided": "undecided"}
_COLORS = ("#d55e00", "#0072b2", "#56b4e9", "#000000")
_GREY = "#d5d9de"
_QUICK_DIGITS = 8
_CHUNK = 500
_BIN = 8  # positive outputs that a bar of the upper histogram stands for
_MARGIN = 40  # positive outputs on both sides of the strip that the lower one shows


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Classify the preimages of all test digits; return how many are of each kind, and where both occur.

    Args:
        folder: Where ``figure4.png`` goes.
        seed: Of the training.
        quick: Few data, one epoch, few digits.
        tell: Told what is being done.
    """
    trained = wide_network(seed=seed, quick=quick, tell=tell)
    digits = trained.split.x_test[: _QUICK_DIGITS if quick else None]
    positive, kinds, n_lp = classify(trained.layer, digits, tell)
    overlap = strip(positive, kinds)
    save(_picture(positive, kinds, overlap), folder / "figure4.png")
    return {
        "network: accuracy": trained.accuracy,
        "median: positive outputs": float(np.median(positive)),
        **{f"{name}: test digits": float((kinds == kind).sum()) for kind, name in KINDS.items()},
        "by a linear program: test digits": float(n_lp),
        "fewest, finite: positive outputs": float(overlap[0]),
        "most, infinite: positive outputs": float(overlap[1]),
        "where both occur: test digits": float(((positive >= overlap[0]) & (positive <= overlap[1])).sum()),
    }


def classify(layer: ReLULayer, x: torch.Tensor, tell: Tell) -> tuple[np.ndarray, np.ndarray, int]:
    """Return positive outputs and kinds of preimages at inputs, and how many needed a linear program."""
    positive, kinds, n_lp = [], [], 0
    frame = frame_of(layer)
    for start in range(0, len(x), _CHUNK):
        tell(f"figure 4: preimages, {start} of {len(x)}")
        part = x[start : start + _CHUNK]
        found = preimages(layer, part, frame=frame)
        positive.append((layer.preactivation(part) > 0).sum(dim=1).numpy())
        kinds.append(found.kinds)
        n_lp += found.n_lp
    return np.concatenate(positive), np.concatenate(kinds), n_lp


def strip(positive: np.ndarray, kinds: np.ndarray) -> tuple[int, int]:
    """Return the positive outputs from the fewest with a finite preimage to the most with an infinite one.

    Where these are the wrong way round, the kinds do not overlap; ``(0, 0)`` where a kind is missing.
    """
    infinite = kinds == "unbounded"
    finite = (kinds == "bounded") | (kinds == "singleton")
    if not infinite.any() or not finite.any():
        return 0, 0
    return int(positive[finite].min()), int(positive[infinite].max())


def _picture(positive: np.ndarray, kinds: np.ndarray, overlap: tuple[int, int]) -> Figure:
    low, high = min(overlap), max(overlap)
    with drawing():
        figure, axes = panels(2, 1, width=7.2, height=5.4)
        whole, near = axes[:, 0]
        _draw(whole, positive, kinds, np.arange(positive.min(), positive.max() + _BIN, _BIN))
        _draw(near, positive, kinds, np.arange(low - _MARGIN, high + _MARGIN) - 0.5)
        for panel in (whole, near):
            panel.axvspan(
                low - 0.5, high + 0.5, color=_GREY, zorder=0, label=f"both kinds, here: {low} to {high}"
            )
        first, last = PAPER_STRIP
        style = {"fill": False, "hatch": "////", "edgecolor": MUTED, "linewidth": 0, "zorder": 0}
        whole.axvspan(first, last, **style, label=f"both kinds, paper: {first} to {last}")
        whole.set(title="all test digits", ylabel=f"digits, per {_BIN} positive outputs")
        near.set(
            title="where both kinds occur", ylabel="digits", xlabel="positive outputs of the first layer"
        )
        figure.legend(*whole.get_legend_handles_labels(), loc="outside upper left", frameon=False, ncols=3)
    return figure


def _draw(panel: Axes, positive: np.ndarray, kinds: np.ndarray, bins: np.ndarray) -> None:
    for (kind, name), color in zip(KINDS.items(), _COLORS, strict=True):
        if kind in kinds:
            values = positive[kinds == kind]
            panel.hist(values, bins=bins, color=color, alpha=0.65, label=f"{name}: {len(values):,}")
