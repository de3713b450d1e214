"""Injectivity of one Gaussian layer ``relu(W x)``, decided with proof; ``--large`` for the sizes of minutes.

In general position the layer is injective iff the halfspace (Tukey) depth of the origin among the rows is at
least n. One side is the search tree, whose supports are checked as part of its time; the others are the exact
depth of the package data-depth, and a mixed-integer program with HiGHS, which proves nothing and is stopped
after a minute. data-depth is no dependency: ``pip install data-depth`` for that comparison.

The tables hold, for each size, the search, the certificate as it is written, and its verification.
"""

import sys
import time
from importlib import import_module
from importlib.util import find_spec

import highspy
import numpy as np

from benchmarks._pair import Comparison, paired, save
from unrelu.certificates import DomainRecord, InjectivityCertificate, LayerRecord, verify
from unrelu.injectivity.search import SearchResult, search

SIZES = [(n, 7 * n) for n in (4, 6, 8, 10, 12, 14)]
LARGE_SIZES = [(n, 7 * n) for n in (16, 18)]
EXACT_SIZES = [(n, 7 * n) for n in (4, 6, 8, 10, 12)]
LARGE_EXACT_SIZES = [(n, 7 * n) for n in (14, 16)]
DEPTH_SIZE, PROGRAM_SIZE = (7, 50), (6, 60)
SEARCH_LIMIT, PROGRAM_LIMIT = 600.0, 60.0  # seconds


def gaussian(n: int, m: int) -> np.ndarray:
    """The same matrix in every run."""
    return np.random.default_rng(0).standard_normal((m, n))


def decide(n: int, m: int, general_position: bool = True) -> SearchResult:
    """Search on all cores."""
    return search(gaussian(n, m), general_position=general_position, time_limit=SEARCH_LIMIT)


def once() -> None:
    """Run the fast side once, for its memory."""
    decide(*SIZES[-1])


def depth(n: int, m: int) -> float:
    """Exact halfspace depth of the origin, times m."""
    halfspace = import_module("depth.model.multivariate").halfspace
    found = halfspace(np.zeros((1, n)), gaussian(n, m), exact=True, method="plane")
    return float(np.asarray(found).reshape(-1)[0]) * m


def least_active(n: int, m: int) -> tuple[float, float]:
    """The fewest rows that are active at a point of the cube, by a mixed-integer program (big M).

    ``w_i x / |w_i|_1 <= -1e-3 + 2 z_i`` with binary ``z_i``; -1e-3, well above the solver's tolerance, stands
    for "negative". Returned are the best value found and the bound when it was stopped.
    """
    W = gaussian(n, m)
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("time_limit", PROGRAM_LIMIT)
    x = [solver.addVariable(-1.0, 1.0) for _ in range(n)]
    z = [solver.addBinary(obj=1.0) for _ in range(m)]
    sizes = np.abs(W).sum(axis=1)
    for row, active in zip(W / sizes[:, None], z, strict=True):
        product = solver.qsum(float(v) * u for v, u in zip(row, x, strict=True))
        solver.addConstr(product - 2 * active <= -1e-3)
    solver.run()
    info = solver.getInfo()
    return float(info.objective_function_value), float(info.mip_dual_bound)


def table(sizes: list[tuple[int, int]], general_position: bool) -> dict[str, str]:
    """What a search of each size costs, and its certificate."""
    facts = {}
    for n, m in sizes:
        begin = time.perf_counter()
        result = decide(n, m, general_position)
        said = f"{result.verdict} in {time.perf_counter() - begin:.3f} s, {result.nodes} nodes"
        if result.tree is None:
            said += f" ({result.reason})"
        else:
            said += f", {_certificate(gaussian(n, m), result)}"
        grade = "exact-general-position" if general_position else "exact"
        facts[f"n = {n}, m = {m}, {grade}"] = said
        print(f"n = {n}, m = {m}, {grade}: {said}", flush=True)
    return facts


def _certificate(W: np.ndarray, result: SearchResult) -> str:
    """What it costs to write and to verify a proof."""
    m, n = W.shape
    layer, domain = LayerRecord.dense(W, np.zeros(m)), DomainRecord("space", n)
    arrays = result.support_starts, result.support_rows, result.tree
    certificate = InjectivityCertificate(layer, domain, result.grade, *arrays)
    begin = time.perf_counter()
    megabytes = len(certificate.to_json()) / 1e6
    written = time.perf_counter()
    answer = verify(certificate)
    seconds = time.perf_counter() - written
    if not answer.valid or answer.grade != result.grade:
        raise RuntimeError(f"the proof does not hold: {answer.reason}")
    supports = len(result.support_starts) - 1
    return f"{supports} supports, {megabytes:.2f} MB in {written - begin:.2f} s, verified in {seconds:.2f} s"


def run(large: bool = False) -> list[Comparison]:
    """Compare, and make tables of sizes and costs; ``large``: also those of minutes."""
    for general_position in (True, False):
        decide(4, 28, general_position)  # compiled now
    facts = table(SIZES + LARGE_SIZES * large, general_position=True)
    facts |= table(EXACT_SIZES + LARGE_EXACT_SIZES * large, general_position=False)
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
    best, bound = least_active(n, m)
    found = {
        f"fewest active rows (HiGHS, {PROGRAM_LIMIT:.0f} s at most)": f"{best:.0f}, at least {bound:.1f}",
        "verdict": decide(n, m).verdict,
    }
    return paired(
        f"injectivity: n = {n}, m = {m} against a mixed-integer program",
        ("unrelu search tree", 1, lambda: decide(n, m)),
        ("HiGHS, big M", 1, lambda: least_active(n, m)),
        rounds=2,
        facts=found | facts,
    )


if __name__ == "__main__":
    save(run(large="--large" in sys.argv))
