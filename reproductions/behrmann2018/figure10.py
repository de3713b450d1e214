"""Figure 10: decay of singular values over the layers of ThinCIFAR, and what a ReLU does to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .._training import Tell
from ._cifar import THIN
from ._spectra import cifar_decay


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw the picture; return the largest and the smallest singular values of every layer.

    Args:
        folder: Where ``figure10.png`` goes.
        seed: Of the training.
        quick: Few data, one epoch, a window of two images.
        tell: Told what is being done.
    """
    return cifar_decay(replace(THIN, seed=seed), folder / "figure10.png", quick=quick, tell=tell)
