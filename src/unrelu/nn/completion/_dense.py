"""The rows that a dense layer lacks (Puthawala et al. 2022, Corollary 1: opposite rows for a basis).

At every point one row of a pair of opposite rows is weakly active, and so is a row whose least value on the
domain is not negative. If one row of each pair, and these, span R^n, the layer is injective.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates.injective import always_active, bounds, box_around
from unrelu.frames import DenseFrame
from unrelu.frames._scaling import row_norms
from unrelu.injectivity._lines import opposite_pairs
from unrelu.layers.surgery import NewRows
from unrelu.nn.completion._bases import (
    DEPENDENT,
    free_columns,
    independent_rows,
    orthogonal_complement,
    unit_rows,
)
from unrelu.nn.completion._plan import Plan

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord
    from unrelu.layers import ReLULayer

_LARGEST = 2.0**60  # of the scale of new rows: float32 holds them and their biases


def plan_dense(layer: ReLULayer, domain: DomainRecord, least: float = DEPENDENT) -> Plan:
    """Plan rows that make a dense layer injective on a domain.

    One row of each opposite pair and the rows that are always active come for nothing. Other rows of the
    layer take a partner each. What they all leave open takes two rows for a dimension on R^n, which no
    completion can do with less, and one that is always active on a bounded domain.

    Args:
        layer: The layer.
        domain: R^n, a box, the orthant or a ball.
        least: Of a row's norm: rows that are nearer to the span of others are not relied on.
    """
    matrix = layer.dense().double().cpu().numpy()
    record = layer.record()
    pairs = np.array(opposite_pairs(record, DenseFrame(matrix).directions), dtype=np.int64).reshape(-1, 2)
    always = always_active(record, domain)
    unit = unit_rows(matrix)
    given = np.concatenate([always, pairs[:, 0]])
    others = np.setdiff1d(np.arange(layer.m), given)
    free, partners = independent_rows(unit, [given, others], least)
    scale = typical_norm(matrix)
    weight, bias, mirrored = _missing(unit[np.concatenate([free, partners])], domain, scale)
    return Plan(NewRows(np.sort(partners), weight, bias, mirrored), pairs, always)


def typical_norm(matrix: np.ndarray) -> float:
    """Return the power of two next to the median norm of the rows that are not 0; 1 where there is none."""
    norms = row_norms(matrix)
    norms = norms[norms > 0].clip(1 / _LARGEST, _LARGEST)
    return float(2.0 ** np.rint(np.log2(np.median(norms)))) if len(norms) else 1.0


def _missing(rows: np.ndarray, domain: DomainRecord, scale: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Return rows that span what independent ones leave, their biases, and how many need a partner."""
    around = box_around(domain)
    bounded = around is not None and bool(np.isfinite(around).all())
    if domain.kind == "space" or bounded:
        weight = single(scale * orthogonal_complement(rows))
    else:
        weight = scale * _towards_bounds(domain, free_columns(rows))
    bias = np.zeros(len(weight)) if around is None else least_bias(weight, *around)
    active = np.isfinite(bias)
    order = np.argsort(active, kind="stable")
    return weight[order], np.where(active, bias, 0.0)[order], int((~active).sum())


def _towards_bounds(domain: DomainRecord, columns: np.ndarray) -> np.ndarray:
    """Return unit vectors that grow from the finite bound of their column."""
    known = bounds(domain)
    weight = np.zeros((len(columns), domain.n))
    falls = np.zeros(len(columns), dtype=bool)
    if known is not None:
        falls = np.isneginf(known[0][columns]) & np.isfinite(known[1][columns])
    weight[np.arange(len(columns)), columns] = np.where(falls, -1.0, 1.0)
    return weight


def least_bias(weight: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return biases with which rows are nowhere negative on a box, numbers of float32; infinite for none."""
    corner = np.where(weight > 0, lower, np.where(weight < 0, upper, 0.0))
    with np.errstate(invalid="ignore"):
        least = np.where(weight != 0, weight * corner, 0.0).sum(axis=1)
        size = np.where(weight != 0, np.abs(weight * corner), 0.0).sum(axis=1)
    slack = weight.shape[1] * np.finfo(np.float64).eps * size
    return np.where(np.isfinite(least), above(slack - least), np.inf)


def above(values: np.ndarray) -> np.ndarray:
    """Return the numbers of float32 that are no smaller, in float64."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    return np.where(near < values, np.nextafter(near, np.float32(np.inf)), near).astype(np.float64)


def single(values: np.ndarray) -> np.ndarray:
    """Return numbers rounded to float32, in float64."""
    return values.astype(np.float32).astype(np.float64)
