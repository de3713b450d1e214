"""The way back through a completed layer, in closed form: the same matrix is solved with for every output."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from unrelu.frames._scaling import near_one, scaled_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.certificates import LayerRecord, StructureCertificate

_REFINEMENTS = 3
_SPARSE = 0.1  # share of entries that are not 0, below which the matrix is factored as a sparse one


class PairInverse:
    """Solves for the input of a layer whose pairs of opposite rows, and rows always active, span R^n.

    Of a pair ``(w, b)``, ``(-d w, c)`` the outputs tell ``w · x``: it is ``y_i - b`` where the first is
    active, and ``(c - y_j) / d`` where the second is. The larger of ``y_i`` and ``y_j / d`` is believed, so
    that rounding does not make a row active that is not. So the input is that of ``B x = z`` with the first
    rows of all pairs and the rows that are always active, which the same factors solve for every output.
    """

    def __init__(self, proof: StructureCertificate, layer: LayerRecord) -> None:
        """Take the layer and what proves it injective, without blocks."""
        first, second = proof.pairs[:, 0], proof.pairs[:, 1]
        matrix = sp.csr_array((layer.values, layer.columns, layer.starts), (layer.m, layer.n))
        self._ratio = _ratios(layer, first, second)
        self._first, self._second, self._always = first, second, proof.always
        self._bias = layer.bias
        chosen = matrix[np.concatenate([first, proof.always])]
        self._scale = near_one(chosen)
        self._matrix = sp.csr_array(scaled_rows(chosen, self._scale))

    def __call__(self, y: np.ndarray) -> np.ndarray:
        """Return inputs for outputs of shape ``(batch, m)``, in float64."""
        up, down = y[:, self._first], y[:, self._second]
        below = (self._bias[self._second] - down) / self._ratio
        pairs = np.where(up > down / self._ratio, up - self._bias[self._first], below)
        z = (np.hstack([pairs, y[:, self._always] - self._bias[self._always]]) * self._scale).T
        x = self._solve(z)
        for _ in range(_REFINEMENTS):
            x = x + self._solve(z - self._matrix @ x)
        return np.asarray(x.T)

    @cached_property
    def _solve(self) -> Callable[[np.ndarray], np.ndarray]:
        matrix = self._matrix
        if matrix.nnz < _SPARSE * matrix.shape[0] * matrix.shape[1]:
            factors = sp.linalg.splu((matrix.T @ matrix).tocsc())
            return lambda z: np.asarray(factors.solve(np.ascontiguousarray(matrix.T @ z)))
        q, r = scipy.linalg.qr(matrix.toarray(), mode="economic")
        return lambda z: np.asarray(scipy.linalg.solve_triangular(r, q.T @ z))


def _ratios(layer: LayerRecord, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``d`` for rows ``w`` and ``-d w``."""
    return np.abs(layer.values[layer.starts[second]] / layer.values[layer.starts[first]])
