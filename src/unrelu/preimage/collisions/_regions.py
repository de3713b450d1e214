"""Other inputs with the output of a chain of layers, in the linear region of ``x`` and across its borders.

At a point of a border the region beyond it holds the point too, so that the program there starts no worse.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.preimage.collisions._flat import nearest_on_flat
from unrelu.preimage.collisions._goal import Farthest, Linear
from unrelu.preimage.collisions._program import limits
from unrelu.preimage.collisions._region import region_of, region_program
from unrelu.preimage.collisions._search import search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.domains import Domain
    from unrelu.layers import Chain
    from unrelu.preimage.collisions._goal import Goal
    from unrelu.preimage.collisions._region import Region

_REGIONS = 40  # programs solved at most
_SINGLE = 4  # borders tried one by one
_GAIN = 1e-6  # of the goal's value, relative, that is worth a move
_REFINEMENTS = 4


@dataclass(frozen=True)
class Place:
    """A point of a region.

    Attributes:
        point: Shape ``(n,)``.
        region: The region.
        pull: Multipliers of the neurons' borders: how much they hold the point back.
        value: The goal's value.
    """

    point: np.ndarray
    region: Region
    pull: np.ndarray
    value: float


@dataclass
class Walk:
    """A search from region to region.

    Attributes:
        chain: The network.
        x: An input of the domain.
        domain: Where inputs live.
        goal: What to choose by.
        deadline: On the clock of `time.monotonic`.
        budget: Programs that may still be solved.
    """

    chain: Chain
    x: np.ndarray
    domain: Domain
    goal: Goal
    deadline: float
    budget: int = _REGIONS

    @property
    def over(self) -> bool:
        """Whether time or budget are used up."""
        return self.budget <= 0 or time.monotonic() > self.deadline

    def places(self) -> list[Place]:
        """Return the best point of the region of ``x``, then the best one found behind its borders."""
        first = self.best(tuple(z > 0 for z in self.chain.preactivations(self.x)), self.x)
        if first is None:
            return []
        current = first
        while not self.over:
            better = self.better(current)
            if better is None:
                break
            current = better
        return [first] if current is first else [first, current]

    def better(self, place: Place) -> Place | None:
        """Return the first better point behind the borders that hold one back."""
        for active in _neighbours(place):
            if self.over:
                return None
            beyond = self.best(active, place.point)
            if beyond is not None and beyond.value > place.value + _GAIN * abs(place.value):
                return beyond
        return None

    def best(self, active: tuple[np.ndarray, ...], start: np.ndarray) -> Place | None:
        """Return the best point of a region that the start lies in or borders on, its output corrected."""
        self.budget -= 1
        region = region_of(self.chain, active)
        program = region_program(self.chain, region, start, self.domain, self.goal.size(self.x))
        away = isinstance(self.goal, Farthest) and start is not self.x
        goal = Linear(start - self.x) if away else self.goal
        found = search(program, goal, self.deadline, margin=0.0)
        if found is None:
            return None
        point = corrected(self.chain, found.other, self.x, self.domain)
        pull = np.zeros(sum(map(len, active)) + program.numbers.max(initial=0) + 1)
        pull[program.numbers] = found.step.below_dual
        return Place(point, region, pull[: sum(map(len, active))], self.goal.value(self.x, point))


def _neighbours(place: Place) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield patterns behind the borders that hold the point back: all of them, then the strongest ones."""
    strong = np.argsort(-place.pull, kind="stable")[: int((place.pull > 0).sum())]
    flat = np.concatenate(place.region.active)
    ends = np.cumsum([len(on) for on in place.region.active])[:-1]
    choices = [strong] if len(strong) > 1 else []
    for crossed in [*choices, *(strong[k : k + 1] for k in range(min(_SINGLE, len(strong))))]:
        other = flat.copy()
        other[crossed] ^= True
        yield tuple(np.split(other, ends))


def corrected(chain: Chain, point: np.ndarray, x: np.ndarray, domain: Domain) -> np.ndarray:
    """Correct the entries that moved, by Newton's method, until the output is that at ``x``."""
    wanted = chain.output(x)
    lower, upper = limits(domain, len(x))
    best = np.clip(point, lower, upper)
    error = float(np.abs(chain.output(best) - wanted).max(initial=0.0))
    for _ in range(_REFINEMENTS):
        if error == 0:
            break
        gradient = region_of(chain, tuple(z > 0 for z in chain.preactivations(best))).output
        free = (best != x) & (best > lower) & (best < upper)
        flat = nearest_on_flat(gradient, wanted - chain.output(best), np.zeros(len(x)), free)
        if flat is None:
            break
        moved = np.clip(best + flat[0], lower, upper)
        new = float(np.abs(chain.output(moved) - wanted).max(initial=0.0))
        if new >= error:
            break
        best, error = moved, new
    return best
