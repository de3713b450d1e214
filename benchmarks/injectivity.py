"""Injectivity of one Gaussian layer ``relu(W x)``, decided with proof.

In general position the layer is injective iff the halfspace (Tukey) depth of the origin among the rows is at
least n. One side is the search tree, whose supports are checked as part of its time; the others are the exact
depth of the package data-depth, and a mixed-integer program with HiGHS, which proves nothing. data-depth is
no dependency: ``pip install data-depth`` for that comparison.
"""

import time
from importlib import import_module
from importlib.util import find_spec

import highspy
import numpy as np

from benchmarks._pair import Comparison, paired
from unrelu.injectivity.search import SearchResult, search

SIZES = [(4, 28), (6, 42), (8, 56), (10, 70), (12, 84), (14, 98)]
LARGE_SIZES = [(16, 112)]
EXACT_SIZES = [(4, 28), (6, 42), (7, 49), (8, 56)]
DEPTH_SIZE, PROGRAM_SIZE = (7, 50), (6, 60)


def gaussian(n: int, m: int) -> np.ndarray:
    """The same matrix in every run."""
    return np.random.default_rng(0).standard_normal((m, n))


def decide(n: int, m: int, general_position: bool = True) -> SearchResult:
    """Search on all cores."""
    return search(gaussian(n, m), general_position=general_position)


def once() -> None:
    """Run the fast side once, for its memory."""
    decide(*SIZES[-1])


def depth(n: int, m: int) -> float:
    """Exact halfspace depth of the origin, times m."""
    halfspace = import_module("depth.model.multivariate").halfspace
    found = halfspace(np.zeros((1, n)), gaussian(n, m), exact=True, method="plane")
    return float(np.asarray(found).reshape(-1)[0]) * m


def least_active(n: int, m: int, time_limit: float = 600.0) -> float:
    """The fewest rows that are active at a point of the cube, by a mixed-integer program (big M).

    ``w_i x / |w_i|_1 <= -1e-3 + 2 z_i`` with binary ``z_i``; -1e-3, well above the solver's tolerance, stands
    for "negative".
    """
    W = gaussian(n, m)
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("time_limit", time_limit)
    x = [solver.addVariable(-1.0, 1.0) for _ in range(n)]
    z = [solver.addBinary(obj=1.0) for _ in range(m)]
    sizes = np.abs(W).sum(axis=1)
    for row, active in zip(W / sizes[:, None], z, strict=True):
        product = solver.qsum(float(v) * u for v, u in zip(row, x, strict=True))
        solver.addConstr(product - 2 * active <= -1e-3)
    solver.run()
    return float(solver.getInfo().objective_function_value)


def table(sizes: list[tuple[int, int]], general_position: bool) -> dict[str, str]:
    """What a search of each size costs."""
    facts = {}
    for n, m in sizes:
        begin = time.perf_counter()
        result = decide(n, m, general_position)
        seconds = time.perf_counter() - begin
        size = ""
        if result.tree is not None and result.support_starts is not None and result.support_rows is not None:
            megabytes = (result.tree.nbytes + result.support_rows.nbytes + result.support_starts.nbytes) / 1e6
            size = f", {len(result.support_starts) - 1} supports, proof {megabytes:.2f} MB"
        facts[f"n = {n}, m = {m}, {result.grade or 'unknown'}"] = (
            f"{result.verdict} in {seconds:.3f} s, {result.nodes} nodes{size}"
        )
    return facts


def run(large: bool = False) -> list[Comparison]:
    """Compare, and print tables of sizes and costs; ``large``: also those of minutes."""
    decide(4, 28)
    decide(4, 28, general_position=False)
    facts = table(SIZES + LARGE_SIZES * large, general_position=True)
    facts |= table(EXACT_SIZES, general_position=False)
    comparisons = [_against_program(facts)]
    if find_spec("depth") is None:
        print("not compared with exact halfspace depth: pip install data-depth")
    else:
        comparisons.append(_against_depth())
    return comparisons


def _against_depth() -> Comparison:
    n, m = DEPTH_SIZE
    found = {"depth of the origin, in rows": f"{depth(n, m):.0f}", "verdict": decide(n, m).verdict}
    return paired(
        f"injectivity: n = {n}, m = {m} against halfspace depth",
        ("unrelu search tree", 1, lambda: decide(n, m)),
        ("data-depth, exact", 1, lambda: depth(n, m)),
        rounds=2,
        facts=found,
    )


def _against_program(facts: dict[str, str]) -> Comparison:
    n, m = PROGRAM_SIZE
    found = {"fewest active rows (HiGHS)": f"{least_active(n, m):.0f}", "verdict": decide(n, m).verdict}
    return paired(
        f"injectivity: n = {n}, m = {m} against a mixed-integer program",
        ("unrelu search tree", 1, lambda: decide(n, m)),
        ("HiGHS, big M", 1, lambda: least_active(n, m)),
        rounds=2,
        facts=found | facts,
    )
