"""How much errors grow on the way back through a layer: the condition of its rows, all brought to norm 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from unrelu.certificates import StructureCertificate
from unrelu.domains import Space
from unrelu.frames._factor import dense_factor
from unrelu.frames._scaling import near_one, row_norms, scaled_rows
from unrelu.injectivity._weak_point import sample_points
from unrelu.stability.constants._cells import Cells
from unrelu.stability.constants._search import least as least_value

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.domains import Domain
    from unrelu.injectivity._verdict import Proof
    from unrelu.layers import ReLULayer

_COLUMNS = 16  # up to which all linear regions are looked at
_SECONDS = 2.0  # for that
_DENSE = 4096  # columns up to which singular values are computed
_STEPS = 30  # of power iteration


def condition_of(layer: ReLULayer, domain: Domain, proof: Proof | None) -> float:
    """Estimate the largest factor by which relative errors of the activations grow on the way back.

    It is the largest singular value of all rows over the least one of the rows that are active somewhere in
    the domain, rows taken at norm 1.

    Args:
        layer: The layer.
        domain: Where its inputs lie.
        proof: That the layer is injective there.

    Returns:
        For pairs of opposite rows and rows that are always active an upper bound, but for rounding; for
        layers of up to 16 inputs what the linear regions say, or some of them where there is no time to see
        all; in other cases what all rows together allow at best. Infinite from about 1e16 on; NaN for layers
        of more than 4096 inputs.
    """
    if layer.n > _DENSE:
        return math.nan
    record = layer.record()
    rows, bias = _unit(record)
    if isinstance(proof, StructureCertificate) and not proof.blocks:
        least = _smallest(rows[np.concatenate([proof.pairs[:, 0], proof.always])])
    elif layer.n <= _COLUMNS and domain.polyhedral:
        least = _smallest_of_regions(rows.toarray(), bias, domain)
    else:
        least = _smallest(rows)
    return _largest(rows) / least if least > 0 else math.inf


def _unit(record: LayerRecord) -> tuple[sp.csr_array, np.ndarray]:
    """Return the rows divided by their norms, and the bias with them; rows of zeros stay."""
    rows = sp.csr_array((record.values, record.columns, record.starts), (record.m, record.n))
    scale = near_one(rows)
    near = scaled_rows(rows, scale)
    norms = row_norms(near)
    norms[norms == 0] = 1.0
    with np.errstate(over="ignore"):
        bias = record.bias * scale / norms
    return scaled_rows(near, 1 / norms), np.nan_to_num(bias)


def _smallest(rows: sp.csr_array) -> float:
    """Return the smallest singular value, to some per cent; 0 where rows span by rounding alone."""
    if rows.shape[0] < rows.shape[1]:
        return 0.0
    factor = dense_factor((rows.T @ rows).toarray(), rows.shape[0])
    if factor is not None:
        return math.sqrt(factor.smallest_eigenvalue())
    return _smallest_of(rows.toarray())


def _smallest_of_regions(rows: np.ndarray, bias: np.ndarray, domain: Domain) -> float:
    """Return the least singular value of the rows that are active in a linear region.

    Where there is no time to see all regions, those around random points are looked at.
    """
    cells = Cells(rows, bias, None if isinstance(domain, Space) else domain)

    def bound(signs: tuple[int, ...]) -> float:
        return _smallest_of(rows[cells.rows[: len(signs)][np.array(signs, dtype=int) > 0]])

    found = least_value(cells, bound, -1, _SECONDS)
    if found.complete:
        return found.low
    signs = sample_points(rows.shape[1], domain, seed=0) @ rows.T + bias > 0
    return min(found.high, *(_smallest_of(rows[active]) for active in np.unique(signs, axis=0)))


def _smallest_of(rows: np.ndarray) -> float:
    if len(rows) < rows.shape[1]:
        return 0.0
    values = scipy.linalg.svdvals(rows, check_finite=False)
    rounding = sum(rows.shape) * float(np.finfo(np.float64).eps) * values[0]
    return float(values[-1]) if values[-1] > rounding else 0.0


def _largest(rows: sp.csr_array) -> float:
    """Return the largest singular value of rows, nearly."""
    x = np.random.default_rng(0).standard_normal(rows.shape[1])
    for _ in range(_STEPS):
        x = rows.T @ (rows @ x)
        x /= max(float(np.linalg.norm(x)), np.finfo(np.float64).tiny)
    return float(np.linalg.norm(rows @ x))
