"""Figure 4: MNIST digits and what the first layer gives back of them, 784 → 1568."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure

from .._pictures import drawing, panels, save
from .._training import Tell
from ._measures import Reconstruction, reconstruct
from ._paper import trained
from ._training import Method

_COLUMNS = {Method.MARGIN: "margin penalty", Method.PENALTY: "paper's penalty", Method.NONE: "unregularised"}
_DIGITS = (3, 2, 1, 18, 4)  # numbers of a 0, 1, 2, 3 and 4 in the test set


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Reconstruct five test digits; return the mean error of each column and write ``figure4.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the training.
        quick: Few data, one epoch.
        tell: Told what is being done.
    """
    found: dict[Method, Reconstruction] = {}
    for method in _COLUMNS:
        split, network = trained("mnist", 2, method, seed=seed, quick=quick, tell=tell)
        found[method] = reconstruct(network.layer, split.x_test[list(_DIGITS)])
    images = {"original": split.images(split.x_test[list(_DIGITS)])}
    images |= {title: split.images(found[method].x) for method, title in _COLUMNS.items()}
    save(_picture(images), folder / "figure4.png")
    return {f"{method}: mean error": float(result.error.mean()) for method, result in found.items()}


def _picture(images: dict[str, torch.Tensor]) -> Figure:
    with drawing():
        figure, axes = panels(len(_DIGITS), len(images), width=5.6, height=6.6)
        for column, (title, digits) in zip(axes.T, images.items(), strict=True):
            column[0].set_title(title)
            for panel, digit in zip(column, digits, strict=True):
                panel.imshow(digit.clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="none")
                panel.set(xticks=[], yticks=[])
    return figure
