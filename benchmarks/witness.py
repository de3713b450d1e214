"""Refuting injectivity of Gaussian layers: how far from m / n = 3.4 a witness is still found, and how fast.

The baseline anneals the same number of active rows by Metropolis steps along coordinates, without smoothing.
"""

import time
from statistics import median

import numba
import numpy as np

from benchmarks._pair import Comparison, paired
from unrelu.injectivity.witness import find_witness
from unrelu.layers import ReLULayer

N, SEEDS, LIMIT = 200, 10, 30.0
REDUNDANCIES = (5.0, 5.5, 5.7, 5.8, 6.0, 6.2, 6.3, 6.4)
PAIRED = 5.0


def gaussian(c: float, seed: int, n: int = N) -> np.ndarray:
    """Standard normal rows."""
    return np.random.default_rng(seed).standard_normal((round(c * n), n))


def success(c: float, n: int = N, seeds: int = SEEDS, limit: float = LIMIT) -> str:
    """Search for witnesses against several layers."""
    runs = [find_witness(ReLULayer(gaussian(c, seed, n)), time_limit=limit) for seed in range(seeds)]
    seconds = [run.seconds for run in runs if run.found]
    missed = sorted(run.count for run in runs if not run.found)
    text = f"{len(seconds)} of {seeds}"
    if seconds:
        text += f", median {median(seconds):.1f} s, longest {max(seconds):.1f} s"
    return text + (f"; fewest active rows of the others: {missed}" if missed else "")


@numba.njit
def metropolis(columns: np.ndarray, x: np.ndarray, sweeps: int, rng: np.random.Generator) -> int:
    """Anneal the number of non-negative entries of ``W x``; ``columns`` are those of ``W``, shape (n, m)."""
    n, m = columns.shape
    z = np.zeros(m, dtype=np.float32)
    for j in range(n):
        z += x[j] * columns[j]
    energy = np.sum(z >= 0)
    least, step = energy, 0.02
    for sweep in range(sweeps):
        temperature = 0.05 ** (sweep / sweeps)
        accepted = 0
        for _ in range(n):
            j = rng.integers(0, n)
            d = np.float32(step * rng.standard_normal())
            count = 0
            for i in range(m):
                count += np.int32(z[i] + d * columns[j, i] >= 0)
            if count <= energy or rng.random() < np.exp((energy - count) / temperature):
                accepted += 1
                z += d * columns[j]
                x[j] += d
                energy = count
                least = min(least, energy)
        step *= np.exp(0.1 * (accepted / n - 0.35))
        norm = np.sqrt(np.sum(x * x))
        x /= norm
        z /= norm
        if least < n:
            break
    return least


def baseline(weight: np.ndarray) -> int:
    """Run Metropolis with ever more sweeps until it finds a witness."""
    columns = np.ascontiguousarray(weight.T, dtype=np.float32)
    sweeps, begin = 500, time.perf_counter()
    least = len(weight)
    while least >= len(columns) and time.perf_counter() - begin < LIMIT:
        rng = np.random.default_rng(0)
        start = rng.standard_normal(len(columns)).astype(np.float32)
        least = metropolis(columns, start / np.linalg.norm(start), sweeps, rng)
        sweeps *= 2
    return least


def run() -> list[Comparison]:
    """Fill the table and time one redundancy that the baseline manages."""
    facts = {f"m / n = {c}, n = {N}": success(c) for c in REDUNDANCIES}
    facts["m / n = 6.0, n = 50"] = success(6.0, 50)
    facts["m / n = 6.0, n = 400"] = success(6.0, 400)
    weight = gaussian(PAIRED, 0)
    layer = ReLULayer(weight)
    return [
        paired(
            f"witness: Gaussian rows, n = {N}, m / n = {PAIRED}",
            ("unrelu.injectivity.witness.find_witness", 1, lambda: find_witness(layer)),
            ("Metropolis on the count", 1, lambda: baseline(weight)),
            rounds=3,
            facts=facts,
        )
    ]
