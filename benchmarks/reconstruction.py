"""Reconstruction of 1,000 MNIST digits through a fresh ``nn.Linear(784, 2352)``.

One side is `unrelu.invert` with proof of uniqueness, residual and condition number of every point, the other
one ``numpy.linalg.lstsq`` a point on the same active rows, with all cores for its LAPACK call.
"""

import numpy as np
import torch

import unrelu
from benchmarks._pair import Comparison, paired, peak_memory
from unrelu.frames import frame_of

POINTS, BASELINE_POINTS = 1000, 10


def _problem() -> tuple[unrelu.ReLULayer, np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    layer = unrelu.ReLULayer.from_module(torch.nn.Linear(784, 2352))
    x = unrelu.load("mnist:test").inputs[:POINTS].reshape(POINTS, 784).astype(np.float64)
    return layer, x, layer.apply(x)


def once() -> None:
    """Run the fast side once, for its memory."""
    layer, _, y = _problem()
    unrelu.invert(layer, y)


def run() -> list[Comparison]:
    """Compare, and check the answers."""
    layer, x, y = _problem()
    frame = frame_of(layer)
    weight, bias = layer.dense().numpy(), layer.bias.numpy()

    def one_by_one() -> None:
        for k in range(BASELINE_POINTS):
            rows = y[k] > 0
            np.linalg.lstsq(weight[rows], y[k][rows] - bias[rows], rcond=None)

    result = unrelu.invert(layer, y, frame=frame)
    error = np.linalg.norm(result.x - x, axis=1) / np.linalg.norm(x, axis=1)
    facts = {
        "points reported unique": f"{int(result.unique.sum())} of {POINTS}",
        "largest relative error on unique points": f"{error[result.unique].max():.2e}",
        "largest condition number": f"{np.nanmax(result.condition):.1f}",
        "peak memory, fresh process (MB)": f"{peak_memory('benchmarks.reconstruction'):.0f}",
    }
    return [
        paired(
            "reconstruction: MNIST through 784 -> 2352",
            ("unrelu.invert", POINTS, lambda: unrelu.invert(layer, y, frame=frame)),
            ("numpy.linalg.lstsq a point", BASELINE_POINTS, one_by_one),
            facts=facts,
        )
    ]
