"""Omnidirectional matrices (Behrmann et al. 2018, Definition 1 and Theorem 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError
from unrelu.preimage.cones import scaled_rows

if TYPE_CHECKING:
    from unrelu.arrays import Array


@dataclass(frozen=True)
class Omnidirectional:
    """Whether every open half-space holds a row.

    Attributes:
        holds: The answer, true for the stored numbers; ``None`` where neither side is proved.
        rows: Where it holds: rows that span R^n; where it does not: rows that are 0 along ``direction``.
        multipliers: Where it holds: positive numbers, one for each of ``rows``, that combine them to 0.
        direction: Where it does not: ``d != 0``, 0 on ``rows`` and negative on all others.
        used_lp: Whether a linear program was solved.

    Both vectors are float64 and exact up to a correction proved to change no sign, or `fractions.Fraction`.
    """

    holds: bool | None
    rows: np.ndarray
    multipliers: np.ndarray | None = None
    direction: np.ndarray | None = None
    used_lp: bool = False


def omnidirectional(matrix: Array) -> Omnidirectional:
    """Decide whether ``A d <= 0`` implies ``d = 0``.

    That is so if and only if ``A`` has rank ``n`` and ``Aᵀ lambda = 0`` for some ``lambda > 0`` (Stiemke).
    The closed form ``lambda = 1 - A (AᵀA)⁻¹ Aᵀ 1`` is tried first, a linear program after it.

    Args:
        matrix: ``A`` of shape ``(m, n)``, numpy or torch, ``n >= 1``.

    Returns:
        The answer with its certificate.

    Raises:
        ArgumentError: If the matrix has another shape or entries that are not finite.

    Example:
        >>> import numpy as np
        >>> from unrelu.preimage import omnidirectional
        >>> omnidirectional(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])).holds
        True
        >>> np.sign(omnidirectional(np.eye(2)).direction)
        array([-1., -1.])
    """
    rows = to_tensor(matrix, "matrix").cpu().numpy()
    if rows.ndim != 2 or rows.shape[1] < 1:
        raise ArgumentError(f"matrix: expected shape (m, n) with n >= 1, got {rows.shape}")
    cone = scaled_rows(rows).cone(np.arange(0), np.arange(len(rows)))
    if cone.high == 0:
        return Omnidirectional(True, cone.implied, multipliers=cone.multipliers, used_lp=cone.used_lp)
    if cone.low > 0:
        return Omnidirectional(False, cone.implied, direction=cone.direction, used_lp=cone.used_lp)
    return Omnidirectional(None, cone.implied, used_lp=cone.used_lp)
