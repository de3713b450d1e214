"""From a step to the other input: borders kept at a distance, equations true to rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unrelu.preimage.collisions._flat import nearest_on_flat
from unrelu.preimage.collisions._step import stacked

if TYPE_CHECKING:
    from unrelu.preimage.collisions._program import Program

_LEVEL = 1e-12  # rise of a row, relative to rows and steps of size 1, that is rounding
_REFINEMENTS = 2


def other_input(program: Program, v: np.ndarray, share: float = 1.0) -> np.ndarray | None:
    """Return ``x + unit t v``, made to fulfil all constraints, with ``t`` as near to ``share`` as they allow.

    Entries at a bound at both ends stay there, and rows that are 0 up to rounding at both ends stay 0; all
    other constraints are slack between ``x`` and the end of a step that keeps a margin.

    Args:
        program: With half the margin of the one that was solved.
        v: The step, in the program's units.
        share: Of the step to be made.

    Returns:
        The input; ``None`` where the step leads nowhere.
    """
    v = np.where(np.abs(v) <= _LEVEL, 0.0, v)
    rise = program.below @ v
    stuck = (program.slack <= _LEVEL) & (np.abs(rise) <= _LEVEL)
    t = share * min(
        _reach(program.slack[~stuck], rise[~stuck]), _reach(program.upper, v), _reach(-program.lower, -v)
    )
    x = program.origin
    with np.errstate(over="ignore"):
        other = x + program.unit * t * v
    if t <= 0 or not np.isfinite(other).all() or np.array_equal(other, x):
        return None
    equal = stacked(program.equal, program.below[stuck])
    return _levelled(equal, x, other, program)


def _reach(room: np.ndarray, rise: np.ndarray) -> float:
    rising = rise > 0
    return float(np.min(room[rising] / rise[rising], initial=1.0))


def _levelled(equal: np.ndarray, x: np.ndarray, other: np.ndarray, program: Program) -> np.ndarray:
    """Correct the entries that moved until the rows do not see the difference."""
    moved = other != x
    for _ in range(_REFINEMENTS):
        # Steps in units keep products in range.
        difference = (other - x) / program.unit
        flat = nearest_on_flat(equal, np.zeros(equal.shape[0]), difference, moved)
        if flat is None:
            return other
        corrected = x + program.unit * flat[0]
        other = np.where(moved, corrected, x)
    return other
