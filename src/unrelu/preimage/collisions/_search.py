"""The best other input that a program allows, by any of the goals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.preimage.collisions._finish import other_input
from unrelu.preimage.collisions._goal import Farthest, Goal, Linear, Nearest
from unrelu.preimage.collisions._step import LinearSteps, bound_linear, bound_nearest, nearest, polished

if TYPE_CHECKING:
    from unrelu.preimage.collisions._program import Program
    from unrelu.preimage.collisions._step import Step

REACH = 10.0  # largest change of an entry, in units of the input, where nothing else bounds it
_STARTS = 6
_CLIMBS = 20
_GAIN = 1e-4  # relative growth of the distance that is worth another program
_FOREVER = 1e6


@dataclass(frozen=True)
class Found:
    """An answer for one program.

    Attributes:
        v: The step, in the program's units.
        other: The input it leads to, shape ``(n,)``.
        gap: By how much the goal's value could be larger at most; ``None`` for a local maximum.
        note: What to say of it.
        step: What the solver said.
    """

    v: np.ndarray
    other: np.ndarray
    gap: float | None
    note: str
    step: Step


def search(program: Program, goal: Goal, deadline: float, margin: float = 1.0) -> Found | None:
    """Return the best other input found.

    Args:
        program: The steps allowed.
        goal: What to choose by.
        deadline: On the clock of `time.monotonic`.
        margin: Share of the distance that is kept from borders, see `Program.narrowed`.

    Returns:
        The input, which fulfils all constraints up to rounding; ``None`` where no step was found.
    """
    if isinstance(goal, Nearest):
        return _nearest(program, goal, deadline, margin)
    if isinstance(goal, Linear):
        return _linear(program, goal, deadline, margin)
    return _farthest(program, goal, deadline, margin)


def _nearest(program: Program, goal: Nearest, deadline: float, margin: float) -> Found | None:
    target = (goal.target - program.origin) / program.unit
    step = nearest(program.narrowed(margin), target, _left(deadline))
    other = other_input(program.narrowed(0.5 * margin), step.v)
    if other is None:
        return None
    bound = program.unit * bound_nearest(program, target, step)
    gap = max(-goal.value(program.origin, other) - bound, 0.0)
    return Found(step.v, other, gap, "nearest to the target", step)


def _linear(program: Program, goal: Linear, deadline: float, margin: float) -> Found | None:
    narrow = program.narrowed(margin)
    step = LinearSteps(narrow).farthest(goal.direction, _left(deadline))
    note = "farthest along the direction"
    limited = program
    if not step.finished and "nbounded" in step.status:
        limited = program.limited(REACH)
        narrow = limited.narrowed(margin)
        step = LinearSteps(narrow).farthest(goal.direction, _left(deadline))
        note = f"the preimage is unbounded along the direction: stopped where {_far(program)}"
    step = polished(narrow, step)
    other = other_input(limited.narrowed(0.5 * margin), step.v)
    if other is None:
        return None
    bound = program.unit * bound_linear(limited, goal.direction, step)
    gap = max(bound - goal.value(program.origin, other), 0.0)
    return Found(step.v, other, None if limited is not program else gap, note, step)


def _farthest(program: Program, goal: Farthest, deadline: float, margin: float) -> Found | None:
    """Climb by linear programs from several directions: each maximises along the step found before.

    The distance is convex, so that its linearisation at a step bounds it from below (convex-concave
    procedure; Yuille and Rangarajan 2003).
    """
    limited = program.limited(REACH)
    narrow = limited.narrowed(margin)
    steps = LinearSteps(narrow)
    best: Step | None = None
    starts = _starts(limited, goal.seed)
    # Where all of these lead back to x, an opposite one does not: x may be the tip of a ray.
    for k, direction in enumerate([*starts, *(-start for start in starts)]):
        if best is not None and k >= len(starts) and best.v.any():
            break
        step = _climbed(steps, direction, deadline)
        if best is None or np.linalg.norm(step.v) > np.linalg.norm(best.v):
            best = step
        if time.monotonic() > deadline:
            break
    if best is None:
        return None
    best = polished(narrow, best)
    other = other_input(limited.narrowed(0.5 * margin), best.v)
    if other is None:
        return None
    largest = float(np.abs(best.v).max(initial=0.0))
    note = "a local maximum of the distance"
    if largest > 0.99 * REACH:
        note = f"a local maximum of the distance, stopped where {_far(program)}"
    return Found(best.v, other, None, note, best)


def _far(program: Program) -> str:
    return f"an entry has moved by {REACH * program.unit:g}"


def _climbed(steps: LinearSteps, direction: np.ndarray, deadline: float) -> Step:
    step = steps.farthest(direction, _left(deadline))
    for _ in range(_CLIMBS):
        length = float(np.linalg.norm(step.v))
        if length == 0 or time.monotonic() > deadline:
            break
        further = steps.farthest(step.v, _left(deadline))
        if np.linalg.norm(further.v) <= length * (1 + _GAIN):
            break
        step = further
    return step


def _starts(program: Program, seed: int) -> list[np.ndarray]:
    """The direction to the farthest corner of the bounds, and random ones."""
    rng = np.random.default_rng(seed)
    corner = np.where(program.upper > -program.lower, program.upper, program.lower)
    return [corner, *rng.standard_normal((_STARTS - 1, len(corner)))]


def _left(deadline: float) -> float:
    return float(np.clip(deadline - time.monotonic(), 1e-3, _FOREVER))
