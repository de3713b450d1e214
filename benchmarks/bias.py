"""Monte Carlo bias estimation of a fresh ``nn.Linear(784, 1568)`` in float32 from 65,536 noisy MNIST digits.

One side is `unrelu.estimate_bias` on samples that are there already, its baseline their matrix products alone
with as many threads: what is left is the selection. The samples themselves are timed apart. The second
baseline is Algorithm 1 of the paper (Eckert et al. 2024) as its authors write it: a sample at a time, a call
of ``numpy.dot`` for each row, and one of ``numpy.min`` for each of the n coordinates.
"""

import os
import time
from collections.abc import Callable

import numpy as np
import torch

import unrelu
from benchmarks._pair import Comparison, paired, peak_memory
from unrelu.domains import Smoothed

M, N, SAMPLES, NOISE = 1568, 784, 65_536, 0.1
ONE_BY_ONE = 3
CHUNK = 4096  # samples a product: the fastest of 256 to 65,536


def _problem() -> tuple[unrelu.ReLULayer, Smoothed]:
    torch.manual_seed(0)
    layer = unrelu.ReLULayer.from_module(torch.nn.Linear(N, M)).to(dtype=torch.float32)
    digits = unrelu.load("mnist:train").inputs.reshape(-1, N).astype(np.float32)
    return layer, Smoothed(digits, NOISE)


def once() -> None:
    """Run the fast side once, sampling included, for its memory."""
    layer, smoothed = _problem()
    unrelu.estimate_bias(layer, smoothed, n_samples=SAMPLES)


def algorithm_1(weight: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Estimate in the way of the authors' public code: Python loops over rows and over coordinates."""
    m, n = weight.shape
    alpha = np.full(m, np.inf)
    for x in samples:
        products = [np.dot(x, row) for row in weight]
        for j in np.argsort(products)[m - n :]:
            alpha[j] = np.min([alpha[j], products[j]])
    return alpha


def seconds(run: Callable[[], object]) -> float:
    """Return the least of three times."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def run() -> list[Comparison]:
    """Compare, and check the answers."""
    layer, smoothed = _problem()
    weight, threads = layer.dense().numpy(), torch.get_num_threads()
    samples = smoothed.sample(SAMPLES, torch.Generator().manual_seed(0), dtype=torch.float32)

    def products() -> None:
        for chunk in samples.split(CHUNK):
            layer.linear.apply(chunk)

    def estimate() -> unrelu.BiasEstimate:
        return unrelu.estimate_bias(layer, samples.numpy(), n_jobs=threads)

    def drawn() -> unrelu.BiasEstimate:
        return unrelu.estimate_bias(layer, smoothed, n_samples=SAMPLES, n_jobs=threads)

    few = samples[:ONE_BY_ONE].numpy()
    assert np.allclose(algorithm_1(weight, few), unrelu.estimate_bias(layer, few).alpha, rtol=1e-4, atol=1e-5)
    result, given, sampled = estimate(), seconds(estimate), seconds(drawn)
    facts = {
        "threads": f"{threads} of {os.cpu_count()}",
        "support samples": f"{result.n_support}",
        "epsilon at confidence 0.99": f"{result.epsilon:.4f}",
        "seconds, samples at hand": f"{given:.2f}",
        "seconds, sampling included": f"{sampled:.2f}",
        "peak memory, sampling included (MB)": f"{peak_memory('benchmarks.bias'):.0f}",
    }
    fast = ("unrelu.estimate_bias", SAMPLES, estimate)
    by_row = ("a product a row", ONE_BY_ONE, lambda: algorithm_1(weight, few))
    return [
        paired("bias: Algorithm 1 as written", fast, by_row, facts=facts),
        # The other way round: how much longer than the products alone.
        paired("bias: its products alone", ("products", SAMPLES, products), fast),
    ]
