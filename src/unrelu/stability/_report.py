"""From singular values found to the result."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unrelu.arrays import Array, like
from unrelu.layers import OUTPUT
from unrelu.stability._result import LayerSpectrum, SpectrumResult, Values
from unrelu.stability._singular_values import condition_of, rank_of

if TYPE_CHECKING:
    from unrelu.stability._found import Found

_EPS = torch.finfo(torch.float64).eps


def result_of(
    found: Found,
    shapes: dict[str, tuple[int, ...]],
    directions: int,
    batch: tuple[int, ...],
    x: Array,
    tolerance: float | None,
) -> SpectrumResult:
    """Return the result.

    Args:
        found: Singular values.
        shapes: Shapes of samples at all stages.
        directions: Number of input entries along which the network was differentiated.
        batch: Batch axes of the samples that were wanted.
        x: These samples.
        tolerance: Share of the largest value up to which a value counts as 0.
    """
    samples = len(next(iter(found.before.values())))
    partial = samples < math.prod(batch)
    batch = (samples,) if partial else batch

    def values(name: str, table: dict[str, torch.Tensor], errors: dict[str, torch.Tensor]) -> Values:
        zero = max(directions, math.prod(shapes[name])) * _EPS if tolerance is None else tolerance
        return _values(table[name], errors.get(name), zero, batch, x)

    layers = tuple(
        LayerSpectrum(
            name,
            shapes[name],
            values(name, found.before, found.error_before),
            values(name, found.after, found.error_after),
            like(active.reshape(batch), x),
        )
        for name, active in found.active.items()
    )
    output = values(OUTPUT, found.before, found.error_before) if OUTPUT in found.before else None
    return SpectrumResult(layers, output, samples, directions, tolerance, partial)


def _values(
    values: torch.Tensor, error: torch.Tensor | None, zero: float, batch: tuple[int, ...], x: Array
) -> Values:
    if error is None:
        rank = rank_of(values, zero)
        condition = condition_of(values, rank)
    else:
        # NaN stands behind the last value found.
        known = ~torch.isnan(values).all(dim=0)
        values, error = values[:, known], error[:, known]
        count = (~torch.isnan(values)).sum(dim=1)
        condition, rank = condition_of(values, count), torch.full_like(count, -1)
    shaped = [like(t.reshape((*batch, *t.shape[1:])), x) for t in (values, rank, condition)]
    bound = None if error is None else like(error.reshape((*batch, error.shape[1])), x)
    return Values(shaped[0], error is None, shaped[1], shaped[2], bound)
