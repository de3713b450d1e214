"""What `lipschitz` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unrelu.arrays import Array


@dataclass(frozen=True)
class Interval:
    """Where a number lies.

    Attributes:
        low: It is not smaller.
        high: It is not larger.
    """

    low: float
    high: float

    def __str__(self) -> str:
        """Write both ends."""
        return f"[{self.low:.6g}, {self.high:.6g}]"


@dataclass(frozen=True)
class LipschitzResult:
    """Lipschitz constants of ``f(x) = relu(W x + b)`` on a domain, each within an interval.

    Singular values here are not squared; frame bounds are.

    Attributes:
        upper: The largest ``|f(x) - f(y)| / |x - y|``.
        lower: The smallest; its inverse is the Lipschitz constant of the way back. From ``sigma_star / 2`` to
            ``sigma_star``, or to the ratio of a pair of inputs that comes nearer.
        sigma_star: Least smallest singular value of the rows active at some inner point.
        eckert: The lower Lipschitz constant as Theorem 4.1 of Eckert et al. 2024 states it: ``sigma_star``.
            It may be too large, by a factor of 2 at most.
        puthawala: The lower bound of Puthawala et al. 2020, ``sigma_star / sqrt(2 m)``: true, not sharp.
        condition: ``upper / lower``; on R^n at least ``sqrt(2)`` for every layer (Xia and Zhou 2025).
        frame_bounds: ``A`` and ``B``, the smallest and largest squared singular value of ``W``.
        smallest: At each point of the data, the smallest singular value of the weakly active rows, 0 where
            they do not span (the set A of Eckert et al. 2024, Figure 5), shape ``(...,)``; ``None`` without
            data.
        largest: The largest, likewise (the set B).
        pair: Two inputs of the domain, shape ``(2, n)``, whose outputs are so near each other that
            ``lower.high`` is below ``sigma_star.high``; ``None`` where no such pair was found.
        nodes: Nodes of the two search trees.
        complete: Whether both came to their end, so that ``sigma_star`` and ``upper`` are known up to
            rounding. If not, the intervals hold all the same.
    """

    upper: Interval
    lower: Interval
    sigma_star: Interval
    eckert: Interval
    puthawala: Interval
    condition: Interval
    frame_bounds: tuple[float, float]
    smallest: Array | None
    largest: Array | None
    pair: Array | None
    nodes: int
    complete: bool
