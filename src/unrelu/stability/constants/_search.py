"""The least value of a function of the active rows over all linear regions, by branch and bound."""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from unrelu.stability.constants._cells import Cells

    Signs = tuple[int, ...]


@dataclass(frozen=True)
class Bounds:
    """Bounds of the least value.

    Attributes:
        low: No region has a smaller value.
        high: Some region has this value; infinite where none was reached.
        nodes: Nodes of the tree that were opened.
        complete: Whether the search came to its end.
    """

    low: float
    high: float
    nodes: int
    complete: bool


def least(cells: Cells, bound: Callable[[Signs], float], first: int, time_limit: float) -> Bounds:
    """Return bounds of the least value.

    Signs of rows are chosen one after the other, best bound first. A pattern without inner point is dropped
    only with proof; one that exists only perhaps counts for `low`, not for `high`.

    Args:
        cells: The regions.
        bound: Lower bound of the value for all regions with these signs of the first rows; the value itself
            for signs of all rows.
        first: The sign that is the more promising one.
        time_limit: Seconds.
    """
    deadline, number = time.monotonic() + time_limit, count()
    high, perhaps, nodes = math.inf, math.inf, 0
    open_nodes: list[tuple[float, int, int, Signs, np.ndarray]] = []

    def add(signs: Signs, point: np.ndarray) -> None:
        heapq.heappush(open_nodes, (bound(signs), -len(signs), next(number), signs, point))

    add((), cells.start)
    while open_nodes and open_nodes[0][0] < min(high, perhaps):
        if time.monotonic() > deadline:
            return Bounds(min(open_nodes[0][0], high, perhaps), high, nodes, False)
        value, _, _, signs, point = heapq.heappop(open_nodes)
        nodes += 1
        if len(signs) == len(cells.rows):
            high, perhaps = (min(high, value), perhaps) if len(point) else (high, min(perhaps, value))
            continue
        here = cells.sign_at(point, len(signs))
        for sign in (-first, first):
            other = point if sign == here else cells.point((*signs, sign))
            if other is not None:
                add((*signs, sign), other)
    return Bounds(min(high, perhaps), high, nodes, high <= perhaps)
