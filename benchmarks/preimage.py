"""Kinds of preimages of MNIST digits under the first layer, 784 -> 3500, of a trained network.

One side is `unrelu.preimages`, whose verdicts are proved. The other one is Algorithm 1 of Behrmann et al.
(2018) as it stands there, with SciPy, a point at a time and with all cores for LAPACK: the rank of the active
rows, a basis of their null space, and a linear program that asks whether 0 lies in a hull; its verdicts are
numerical. What no proof of a dimension can do without, a Cholesky factor of the active rows, is timed beside.
"""

import time
from collections import Counter
from itertools import cycle

import numpy as np
import scipy.linalg
import torch
from joblib import Parallel, delayed
from scipy.optimize import linprog
from threadpoolctl import threadpool_limits

import unrelu
from benchmarks._pair import RESULTS, Comparison, paired, peak_memory
from reproductions.behrmann2018._training import wide_network
from unrelu.frames import frame_of
from unrelu.frames._lapack import columns_product, potrf, rows_product

POINTS, BASELINE_POINTS, ROUNDS = 400, 12, 3


def _problem() -> tuple[unrelu.ReLULayer, np.ndarray]:
    RESULTS.mkdir(exist_ok=True)
    trained = wide_network(cache=RESULTS)
    return trained.layer.to(dtype=torch.float64), trained.split.x_test.double().numpy()


def once() -> None:
    """Classify some digits, for the memory."""
    layer, digits = _problem()
    unrelu.preimages(layer, digits[:POINTS])


def algorithm_1(weight: np.ndarray, y: np.ndarray) -> str:
    """Tell the kind of the preimage of one output."""
    active, inactive = weight[y > 0], weight[y <= 0]
    if np.linalg.matrix_rank(active) == weight.shape[1]:
        return "singleton"
    reduced = inactive @ scipy.linalg.null_space(active)
    rows, k = reduced.shape
    if rows <= k:
        return "unbounded"
    hull = np.vstack([reduced.T, np.ones(rows)])
    found = linprog(-np.ones(rows), A_eq=hull, b_eq=np.eye(k + 1)[k], bounds=(0, 1), method="highs")
    return "bounded" if found.status == 0 else "unbounded"


def factored(weight: np.ndarray, outputs: np.ndarray) -> None:
    """Factor the smaller Gram matrix of the active rows of every output, with all cores."""

    def one(y: np.ndarray) -> None:
        rows = weight[y > 0]
        potrf(columns_product(rows) if len(rows) > rows.shape[1] else rows_product(rows))

    with threadpool_limits(1, user_api="blas"):
        Parallel(-1, backend="threading")(delayed(one)(y) for y in outputs)


def _facts(layer: unrelu.ReLULayer, digits: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    """Classify all digits once."""
    start = time.perf_counter()
    result = unrelu.preimages(layer, digits)
    seconds = time.perf_counter() - start
    positive = (outputs > 0).sum(axis=1)
    facts = {"digits": f"{len(digits)} in {seconds:.0f} s"}
    for kind, count in sorted(Counter(result.kinds.tolist()).items()):
        few, many = positive[result.kinds == kind].min(), positive[result.kinds == kind].max()
        facts[f"{kind}"] = f"{count}, with {few} to {many} positive outputs"
    facts["settled without a linear program"] = f"{1 - result.n_lp / len(digits):.2%}"
    facts["peak memory, fresh process (MB)"] = f"{peak_memory('benchmarks.preimage'):.0f}"
    return facts


def run() -> list[Comparison]:
    """Compare, and check the answers."""
    layer, digits = _problem()
    weight = layer.dense().numpy()
    outputs = layer.apply(digits)
    chosen = np.random.default_rng(0).permutation(len(digits))
    sample, few = chosen[:POINTS], chosen[:BASELINE_POINTS]
    frame = frame_of(layer)
    expected = unrelu.preimages(layer, digits[few], frame=frame).kinds
    parts = cycle(np.split(np.arange(BASELINE_POINTS), ROUNDS + 1))
    differing = set()

    def one_by_one() -> None:
        for k in next(parts):
            if algorithm_1(weight, outputs[few[k]]) != expected[k]:
                differing.add(int(k))

    facts = _facts(layer, digits, outputs)
    fast = ("unrelu.preimages", POINTS, lambda: unrelu.preimages(layer, digits[sample]))
    slow = ("Algorithm 1 as written", BASELINE_POINTS // (ROUNDS + 1), one_by_one)
    floor = ("a Cholesky factor of the active rows", POINTS, lambda: factored(weight, outputs[sample]))
    comparisons = [
        paired("preimage: MNIST, 784 -> 3500", fast, slow, rounds=ROUNDS, facts=facts),
        # The other way round: how much longer than the factors alone.
        paired("preimage: the factors alone", floor, fast, rounds=ROUNDS),
    ]
    facts["baseline verdicts that differ"] = f"{len(differing)} of {BASELINE_POINTS}"
    return comparisons
