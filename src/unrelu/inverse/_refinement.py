"""Iterative refinement of many systems at a time, each as far as its factor carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[np.ndarray, np.ndarray], np.ndarray]

_REFINEMENTS = 8
_SETTLED = 1e-9  # relative size of a last step that rounding explains; a rough factor leaves more
_ENOUGH = 2e-15  # relative size of a next step that is not worth making
_PROBES = 16  # random errors by which the expected one is measured


def refined(
    step: Step,
    apply: Callable[[np.ndarray], np.ndarray],
    masks: np.ndarray,
    targets: np.ndarray,
    going: np.ndarray,
    n: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve ``W_I x = target_I`` by steps that nearly solve for what is left.

    Args:
        step: Takes right-hand sides, shape ``(systems, m)``, and which systems are asked for, to solutions of
            shape ``(systems, n)``, 0 for the others.
        apply: ``W x`` for each row of its argument.
        masks: Which rows are in ``I``, one system a row, boolean, shape ``(systems, m)``.
        targets: Right-hand sides, 0 outside ``I``.
        going: Which systems can be solved; overwritten.
        n: Number of unknowns.

    Returns:
        Solutions, and which of them converged.
    """
    x, rest = np.zeros((len(masks), n)), targets
    before, left = np.full(len(masks), np.inf), np.full(len(masks), np.inf)
    for _ in range(_REFINEMENTS):
        found = step(rest, going)
        length = np.linalg.norm(found, axis=1)
        # A step that is hardly shorter than the one before only stirs rounding errors.
        left[going] = length[going]
        going &= length < 0.5 * before
        x += found * going[:, None]
        # Steps shrink geometrically: stop when the next one would be below the last digit.
        following = np.where(np.isinf(before), length, length**2 / np.where(before > 0, before, 1.0))
        left[going] = following[going]
        size = np.linalg.norm(x, axis=1)
        going &= following > _ENOUGH * size
        before = length
        if not going.any():
            break
        rest = targets - np.where(masks, apply(x), 0.0)
    return x, left <= _SETTLED * np.linalg.norm(x, axis=1)


def expected_errors(step: Step, std: np.ndarray, able: np.ndarray) -> np.ndarray:
    """Estimate ``(E |W_I⁺ e|²)^(1/2)`` for independent errors ``e``, by random signs (Hutchinson 1990).

    Args:
        step: As in `refined`.
        std: Standard deviations of the errors, 0 outside ``I``, shape ``(systems, m)``.
        able: Which systems can be solved.

    Returns:
        Shape ``(systems,)``, NaN where a system cannot be solved.
    """
    rng = np.random.default_rng(0)
    squares = np.zeros(len(std))
    for _ in range(_PROBES):
        signs = rng.integers(0, 2, std.shape[1]) * 2.0 - 1.0
        squares += np.square(step(std * signs, able)).sum(axis=1)
    return np.where(able, np.sqrt(squares / _PROBES), np.nan)
