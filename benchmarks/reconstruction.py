"""Reconstruction of the 10,000 MNIST test digits through fresh layers ``nn.Linear(784, m)``.

One side is `unrelu.invert` with proof of uniqueness, residual, condition number and error bound of every
point, the other ``numpy.linalg.lstsq`` a point on the same active rows, with all cores for its LAPACK call.
With ``m = 2352`` every point is unique and well conditioned; with ``m = 1568`` condition numbers reach
thousands, and 3 points of 10 have fewer active rows than pixels. Once more with weights of pixels that differ
by up to a factor of 1000, condition numbers reach 10^8.
"""

import time

import numpy as np
import torch

import unrelu
from benchmarks._pair import Comparison, paired, peak_memory
from unrelu.frames import frame_of

POINTS, FEWER_POINTS, BASELINE_POINTS, ROUNDS = 10_000, 500, 5, 2
SPREAD = 1000.0


def _problem(m: int, points: int, spread: float = 1.0) -> tuple[unrelu.ReLULayer, np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    linear = torch.nn.Linear(784, m)
    if spread > 1:
        linear.weight.data *= spread ** (0.5 - torch.rand(784))
    layer = unrelu.ReLULayer.from_module(linear)
    x = unrelu.load("mnist:test").inputs[:points].reshape(points, 784).astype(np.float64)
    return layer, x, layer.apply(x)


def once() -> None:
    """Run the fast side once, for its memory."""
    layer, _, y = _problem(2352, 1000)
    unrelu.invert(layer, y)


def _compare(m: int, points: int, rounds: int, spread: float = 1.0) -> Comparison:
    layer, x, y = _problem(m, points, spread)
    frame = frame_of(layer)
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    answers = []

    def all_together() -> None:
        answers[:] = [unrelu.invert(layer, y, frame=frame)]

    def one_by_one() -> None:
        for k in range(BASELINE_POINTS):
            rows = y[k] > 0
            np.linalg.lstsq(weight[rows], y[k][rows] - bias[rows], rcond=None)

    comparison = paired(
        f"reconstruction: {points:,} MNIST digits through 784 -> {m}"
        + (f", weights of pixels spread by {spread:g}" if spread > 1 else ""),
        ("unrelu.invert", points, all_together),
        ("numpy.linalg.lstsq a point", BASELINE_POINTS, one_by_one),
        rounds=rounds,
    )
    comparison.facts.update(_facts(x, answers[0], comparison.fast.median / _product_seconds(y, weight)))
    return comparison


def _facts(x: np.ndarray, result: unrelu.InverseResult, products: float) -> dict[str, str]:
    unique = result.unique
    error = np.linalg.norm(result.x - x, axis=1)
    size = np.linalg.norm(x, axis=1)
    return {
        "points reported unique": f"{int(unique.sum()):,} of {len(x):,}",
        "largest relative error on unique points": f"{(error / size)[unique].max():.2e}",
        "largest condition number": f"{np.nanmax(result.condition):.1f}",
        "the same of unique points": f"{result.condition[unique].max():.1f}",
        "points with an error above its bound": f"{int((error > result.error_bound).sum())}",
        "largest relative error bound on unique points": f"{(result.error_bound / size)[unique].max():.2e}",
        "time in units of one product W x in float64": f"{products:.1f}",
    }


def _product_seconds(y: np.ndarray, weight: np.ndarray) -> float:
    """Return the seconds of ``Wᵀ y`` for one point, all of them multiplied at once."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        y @ weight
        seconds.append(time.perf_counter() - start)
    return min(seconds) / len(y)


def run() -> list[Comparison]:
    """Compare, and check the answers."""
    comparisons = [
        _compare(2352, POINTS, ROUNDS),
        _compare(1568, FEWER_POINTS, ROUNDS),
        _compare(1568, FEWER_POINTS, ROUNDS, SPREAD),
    ]
    comparisons[0].facts["peak memory of 1,000 points, fresh process (MB)"] = (
        f"{peak_memory('benchmarks.reconstruction'):.0f}"
    )
    return comparisons
