"""All singular values of a network's linearisations, from the derivative itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unrelu.layers import OUTPUT
from unrelu.stability._found import Found
from unrelu.stability._gram import gram_of_columns
from unrelu.stability._singular_values import power_of_two, singular_values, values_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from unrelu.layers import Linearisation


def all_values(linearisation: Linearisation, directions: torch.Tensor, wanted: Collection[str]) -> Found:
    """Return all singular values at the wanted stages.

    The derivative is pushed forward once for all layers, along all directions together; each product of a
    layer's derivative with itself serves before and after its ReLU.

    Args:
        linearisation: The network at some samples.
        directions: Shape ``(d, n)``.
        wanted: Names of the stages.
    """
    found = Found()
    for stage in linearisation.stages(directions):
        if stage.name == OUTPUT and OUTPUT in wanted:
            found.before[OUTPUT] = torch.stack([singular_values(t) for t in stage.tangents])
        elif stage.name in wanted:
            before, after = values_around(stage.tangents, stage.active, stage.shape)
            found.before[stage.name], found.after[stage.name] = before, after
            found.active[stage.name] = stage.active.sum(dim=1)
        if len(found.before) == len(wanted):
            break
        del stage  # the next one is made while a name would hold on to this one
    return found


def values_around(
    tangents: torch.Tensor, active: torch.Tensor, shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the singular values of derivatives before and after rows are removed, descending.

    Args:
        tangents: Transposed derivatives, shape ``(batch, d, m)``, or ``(1, d, m)`` where samples share them.
        active: Rows that are kept, shape ``(batch, m)``.
        shape: Shape of one sample of ``m`` entries.

    Returns:
        Two tensors of shape ``(batch, min(d, m))``.
    """
    scale = power_of_two(tangents)
    if scale != 1:
        tangents = tangents / scale
    before, after = tangents.new_zeros(2, len(active), min(tangents.shape[1:]))
    around = _tall if tangents.shape[2] >= tangents.shape[1] else _wide
    for k, rows in enumerate(active):
        # What samples share is worked out once.
        derivative = tangents[k if len(tangents) > 1 else 0]
        values, kept = around(derivative, rows, shape, whole=k < len(tangents))
        before[k] = before[0] if values is None else values
        after[k, : len(kept)] = kept
    return scale * before, scale * after


def _tall(
    derivative: torch.Tensor, rows: torch.Tensor, shape: tuple[int, ...], *, whole: bool
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Return the values of all rows, if wanted, and of the kept ones; ``derivative`` is ``(d, m)``."""
    if int(rows.sum()) < len(derivative):
        kept = singular_values(derivative[:, rows])
        gram = gram_of_columns(derivative, shape) if whole else None
    else:
        gram = gram_of_columns(derivative, shape, rows)
        kept = values_of(gram, lambda: derivative[:, rows])
        gram = gram.add_(gram_of_columns(derivative, shape, ~rows)) if whole else None
    return (None if gram is None else values_of(gram, lambda: derivative)), kept


def _wide(
    derivative: torch.Tensor, rows: torch.Tensor, shape: tuple[int, ...], *, whole: bool
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Do the same where outputs are fewer than directions: products of outputs serve both."""
    outputs = derivative.T
    gram = outputs @ derivative
    kept = values_of(gram[rows][:, rows], lambda: outputs[rows])
    return (values_of(gram, lambda: outputs) if whole else None), kept
