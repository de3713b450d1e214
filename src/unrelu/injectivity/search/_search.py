"""Injectivity decided by a search tree (Froese, Grillo, Skutella 2024), with proof."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from joblib import effective_n_jobs

from unrelu._progress import progress_bar
from unrelu.errors import ArgumentError
from unrelu.frames import DenseFrame
from unrelu.injectivity.search._nodes import bits_of
from unrelu.injectivity.search._problem import Problem, problem_of
from unrelu.injectivity.search._proof import (
    Proof,
    proof_of,
    ranks_hold,
    supports_hold,
    supports_tell,
    used_rows_span,
)
from unrelu.injectivity.search._result import SearchResult
from unrelu.injectivity.search._walk import Walk, bound_of
from unrelu.injectivity.search._witness import inner_point, witness

if TYPE_CHECKING:
    from collections.abc import Callable

_CHOICES = 100_000  # sets of rows that a leaf of grade exact may stand for
_INTERRUPTED, _LATE = "interrupted", "the time is up"
_AFTER = 0.1  # seconds after the end in which a bound is looked for
_LONGER = 20.0  # how much longer than the first proof an exact one may take


@dataclass(frozen=True)
class _Options:
    deadline: float
    jobs: int
    report: Callable[[float], object]


def search(
    rows: np.ndarray,
    bias: np.ndarray | None = None,
    domain_rows: np.ndarray | None = None,
    domain_offsets: np.ndarray | None = None,
    *,
    general_position: bool | None = None,
    time_limit: float | None = None,
    n_jobs: int = -1,
    progress: bool = False,
) -> SearchResult:
    """Decide whether ``relu(W x + b)`` is injective on an open polyhedron ``{x : G x < h}`` or on R^n.

    Args:
        rows: ``W``, shape ``(m, n)``.
        bias: ``b``, shape ``(m,)``; 0 when ``None``.
        domain_rows: ``G``, shape ``(p, n)``; all of R^n when ``None``.
        domain_offsets: ``h``, shape ``(p,)``.
        general_position: ``True``: any n rows of ``W`` are taken to be linearly independent, and the proof
            says so. ``False``: ranks are checked. ``None``: the first, then the second as far as time allows
            and for twenty times as long at most. Rows that are 0 or parallel always mean the second.
        time_limit: Seconds; none when ``None``.
        n_jobs: Threads, as in joblib.
        progress: Whether to show the share of the tree that is closed.

    Returns:
        The verdict with its proof. Ctrl-C ends the search with verdict ``"unknown"`` and what it has so far.

    Raises:
        ArgumentError: If shapes do not fit, or numbers are not finite.

    Example:
        >>> import numpy as np
        >>> angles = 2 * np.pi * np.arange(5) / 5
        >>> pentagon = np.column_stack([np.cos(angles), np.sin(angles)])
        >>> search(pentagon).verdict
        'injective'
        >>> search(pentagon[:4]).verdict
        'witness'
    """
    begin = time.monotonic()
    problem = problem_of(*_checked(rows, bias, domain_rows, domain_offsets))
    limit = math.inf if time_limit is None else float(time_limit)
    special = _in_special_position(problem.rows)
    with progress_bar(progress) as bar:
        task = None if bar is None else bar.add_task("search tree", total=1.0)

        def report(share: float) -> None:
            if bar is not None and task is not None:
                bar.update(task, completed=share)

        options = _Options(begin + limit, effective_n_jobs(n_jobs), report)
        if problem.weights.shape[1] < problem.n:
            return _of_low_rank(problem, begin)
        exact = special or general_position is False
        result = _decide(problem, exact, options, begin)
        if exact or general_position or result.verdict == "witness" or _was_stopped(result):
            return result
        longer = min(begin + limit, time.monotonic() + 1.0 + _LONGER * result.seconds)
        better = _decide(problem, True, _Options(longer, options.jobs, report), begin)
        return result if better.verdict == "unknown" else better


def _checked(
    rows: np.ndarray,
    bias: np.ndarray | None,
    domain_rows: np.ndarray | None,
    domain_offsets: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the arguments as float64 arrays that fit."""
    W = _array("rows", rows, (None, None))
    if not W.shape[1]:
        raise ArgumentError(f"rows: expected at least one column, got shape {W.shape}")
    b = _array("bias", np.zeros(len(W)) if bias is None else bias, (len(W),))
    G = _array("domain_rows", W[:0] if domain_rows is None else domain_rows, (None, W.shape[1]))
    h = _array("domain_offsets", np.zeros(0) if domain_offsets is None else domain_offsets, (len(G),))
    return W, b, G, h


def _array(name: str, value: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
    array = np.ascontiguousarray(value, dtype=np.float64)
    fits = array.ndim == len(shape) and all(s in {None, a} for s, a in zip(shape, array.shape, strict=True))
    if not fits:
        expected = ", ".join("any" if s is None else str(s) for s in shape)
        raise ArgumentError(f"{name}: expected an array of shape ({expected}), got {array.shape}")
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name}: expected finite numbers, got NaN or infinite entries")
    return array


def _in_special_position(rows: np.ndarray) -> bool:
    """Say whether rows are 0 or parallel."""
    lines = DenseFrame(rows).directions.line
    return bool((lines < 0).any()) or (rows.shape[1] > 1 and len(np.unique(lines)) < len(lines))


def _was_stopped(result: SearchResult) -> bool:
    return result.reason.startswith((_INTERRUPTED, _LATE))


def _of_low_rank(problem: Problem, begin: float) -> SearchResult:
    """Decide where the rows do not span R^n: then no rows do, anywhere."""
    found = witness(problem, np.ones(problem.m, dtype=bool))
    if found is None:
        reason = "the rows span R^n by less than rounding errors, or the domain has no inner point"
        return _unknown(reason, 0, 0, begin)
    return _not_injective(*found, 0, begin)


def _decide(problem: Problem, exact: bool, options: _Options, begin: float) -> SearchResult:
    """Search with or without ranks."""
    walk = Walk(problem, exact, _CHOICES, options.jobs)
    walk.run(options.deadline, options.report)
    if walk.found is not None:
        words = len(walk.found)
        flat = np.array([bool((walk.found & bits_of(np.array([i]), words)).any()) for i in range(problem.m)])
        found = witness(problem, flat)
        if found is not None:
            return _not_injective(*found, walk.nodes, begin)
        result = _unknown("a witness is within rounding errors", 0, walk.nodes, begin)
        return replace(result, weak=np.flatnonzero(flat))
    if not walk.finished:
        bound = bound_of(walk, problem.n, options.deadline + _AFTER)
        why = _INTERRUPTED if walk.interrupted else _LATE
        reason = f"{why}; every flat has rank at least {bound}"
        return replace(_unknown(reason, bound, walk.nodes, begin), interrupted=walk.interrupted)
    proof = proof_of(walk)
    inner = None
    if not supports_tell(problem.m, len(problem.stacked), proof):
        inner = inner_point(problem)
        if inner is None:
            return _unknown("the domain has no inner point", 0, walk.nodes, begin)
    if not exact and not used_rows_span(problem.rows, proof):
        return _unknown("rows that the proof uses are not in general position", 0, walk.nodes, begin)
    hold = supports_hold(problem.stacked, proof, options.jobs, options.deadline)
    if hold is None:
        return _unknown(f"{_LATE}; the proof is not checked", problem.n, walk.nodes, begin)
    if not hold or (exact and not ranks_hold(problem.rows, proof)):
        return _unknown("a step of the proof is within rounding errors", 0, walk.nodes, begin)
    return replace(_injective(problem, proof, exact, walk.nodes, begin), inner=inner)


def _injective(problem: Problem, proof: Proof, exact: bool, nodes: int, begin: float) -> SearchResult:
    return SearchResult(
        "injective",
        "exact" if exact else "exact-general-position",
        f"a tree of {nodes} nodes on {len(proof.starts) - 1} positive dependencies leaves no flat",
        proof.starts,
        proof.rows,
        proof.tree,
        None,
        None,
        problem.n,
        nodes,
        time.monotonic() - begin,
    )


def _not_injective(x: np.ndarray, weak: np.ndarray, nodes: int, begin: float) -> SearchResult:
    reason = f"at a point {len(weak)} rows are weakly active, and they do not span R^n"
    seconds = time.monotonic() - begin
    return SearchResult("witness", "exact", reason, None, None, None, x, weak, 0, nodes, seconds)


def _unknown(reason: str, bound: int, nodes: int, begin: float) -> SearchResult:
    seconds = time.monotonic() - begin
    return SearchResult("unknown", "", reason, None, None, None, None, None, bound, nodes, seconds)
