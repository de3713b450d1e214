"""Which sets of rows have a positive dependency, proved: floating point with an error bound, then exactly."""

from __future__ import annotations

import flint
import numpy as np

from unrelu.certificates.injective._rows import whole_rows

_UNIT = 2.0**-53
_LEAST = 2.0**-900  # a scaled entry below may have been rounded
_ROWS_AT_ONCE = 1 << 16


def positive_dependencies(rows: np.ndarray, supports: np.ndarray) -> np.ndarray:
    """Say for which supports the linear dependencies are the multiples of one positive vector.

    Args:
        rows: Float64, shape ``(r, d)``.
        supports: Positions in ``rows``, all supports of the same size, shape ``(k, size)``.

    Returns:
        Booleans, shape ``(k,)``, true for the numbers as stored.
    """
    out = np.zeros(len(supports), dtype=bool)
    step = max(1, _ROWS_AT_ONCE // max(1, supports.shape[1]))
    for start in range(0, len(supports), step):
        part = slice(start, start + step)
        out[part] = proved_in_floats(rows[supports[part]])
        for k in start + np.flatnonzero(~out[part]):
            out[k] = has_positive_dependency(rows[supports[k]])
    return out


def has_positive_dependency(rows: np.ndarray) -> bool:
    """Say whether the dependencies of some rows are the multiples of one positive vector, exactly."""
    if not rows.any(axis=1).all():
        return len(rows) == 1
    used = rows[:, rows.any(axis=0)]
    null, nullity = flint.fmpz_mat(whole_rows(used)).transpose().nullspace()
    if nullity != 1:
        return False
    signs = {(v > 0) - (v < 0) for v in (null[i, 0] for i in range(len(rows)))}
    return signs in ({1}, {-1})


def proved_in_floats(rows: np.ndarray) -> np.ndarray:
    """Say for which sets of rows floating point proves a unique positive dependency.

    ``s`` rows in ``s - 1`` coordinates are dependent. The first ``s - 1`` of them, as columns of ``B``, are
    independent if some ``R`` has ``|I - R B| < 1`` (maximum norm), and then the dependency with last entry 1
    is no farther than ``|R r| / (1 - |I - R B|)`` from an approximate one with residual ``r``.

    Args:
        rows: Float64, shape ``(k, s, d)``.

    Returns:
        Booleans, shape ``(k,)``.
    """
    count, size, _ = rows.shape
    if size < 2:
        return np.zeros(count, dtype=bool)
    scaled, sound = _scaled(rows)
    used = scaled.any(axis=1)
    sound &= used.sum(axis=1) == size - 1
    order = np.argsort(~used, axis=1, kind="stable")[:, : size - 1]
    if order.shape[1] < size - 1:
        return np.zeros(count, dtype=bool)
    system = np.take_along_axis(scaled, order[:, None, :], axis=2).transpose(0, 2, 1)
    matrix, right = system[:, :, :-1].copy(), -system[:, :, -1]
    sound &= np.linalg.slogdet(matrix)[0] != 0
    matrix[~sound] = np.eye(size - 1)
    with np.errstate(all="ignore"):
        return sound & _solutions_are_positive(matrix, right)


def _scaled(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide each row by a power of two near its largest entry; say where nothing was rounded."""
    exponent = np.frexp(np.abs(rows).max(axis=2))[1]
    scaled = np.ldexp(rows, -exponent[:, :, None])
    exact = ((rows == 0) | (np.abs(scaled) >= _LEAST)).all(axis=(1, 2))
    return scaled, exact


def _solutions_are_positive(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Say where ``B y = c`` is proved to have one solution, and that one to be positive."""
    size = right.shape[1]
    rounding = 4 * (size + 4) * _UNIT  # of sums of this many products, with room for the bounds themselves
    inverse = np.linalg.inv(matrix)
    solution = (inverse @ right[:, :, None])[:, :, 0]
    near = np.abs(np.eye(size) - inverse @ matrix) + rounding * (np.abs(inverse) @ np.abs(matrix) + 1)
    residual = np.abs(right - (matrix @ solution[:, :, None])[:, :, 0])
    sizes = (np.abs(matrix) @ np.abs(solution)[:, :, None])[:, :, 0]
    residual += rounding * (np.abs(right) + sizes) + _LEAST
    error = 2.5 * (np.abs(inverse) @ residual[:, :, None])[:, :, 0].max(axis=1)
    return np.asarray((near.sum(axis=2).max(axis=1) < 0.5) & (solution.min(axis=1) > error))
