"""Figure 11: decay of singular values over the layers of the MLP on MNIST, and what a ReLU does to them."""

from __future__ import annotations

from pathlib import Path

from .._training import Tell
from ._spectra import decay, mlp_spectra


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw the picture; return the largest and the smallest singular values of every layer.

    Args:
        folder: Where ``figure11.png`` goes.
        seed: Of the training.
        quick: Few data, one epoch, two digits.
        tell: Told what is being done.
    """
    layers = mlp_spectra(seed=seed, quick=quick, tell=tell).layers
    return decay(layers, (1, 2), folder / "figure11.png")
