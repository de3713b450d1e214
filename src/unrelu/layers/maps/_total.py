"""Sums of maps in their simplest form: parts placed below one another stay dense, or a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.layers.maps._compose import Compose, Sum, compose
from unrelu.layers.maps._convolution import Convolution
from unrelu.layers.maps._dense import Dense
from unrelu.layers.maps._elementary import Diagonal, Reindex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers.maps._linear import LinearMap


@dataclass(frozen=True)
class _Part:
    """Rows of a sum that come from one term alone.

    Attributes:
        base: The map that they are rows of.
        to: Where they stand in the sum.
        of: Which rows of the base they are.
    """

    base: LinearMap
    to: torch.Tensor
    of: torch.Tensor


def total(terms: Sequence[LinearMap]) -> LinearMap:
    """Return the sum of maps between the same spaces in its simplest form.

    Where each row comes from one term alone, as behind a concatenation, dense terms make a dense map, with
    moved and scaled entries beside them, and whole channels of like convolutions one convolution.
    """
    if len(terms) == 1:
        return terms[0]
    parts = [_placed(term) for term in terms]
    places = torch.cat([part.to for part in parts])
    if len(torch.unique(places)) < len(places):
        return Sum(terms)
    return _dense(terms[0], parts) or _convolution(terms[0], parts) or Sum(terms, apart=True)


def stacked(parts: Sequence[LinearMap]) -> LinearMap:
    """Return the map whose rows are those of the parts, one part below the other.

    Parts with as many and equally long spatial axes are stacked along the first axis, their channels.

    Args:
        parts: Maps of the same inputs, at least one.
    """
    first, m = parts[0], sum(part.m for part in parts)
    places = {part.out_shape[1:] for part in parts}
    images = len(first.out_shape) > 1 and len(places) == 1
    shape = (sum(part.out_shape[0] for part in parts), *first.out_shape[1:]) if images else (m,)
    terms, start = [], 0
    for part in parts:
        index = torch.full((m,), -1, device=first.device)
        index[start : start + part.m] = torch.arange(part.m, device=first.device)
        terms.append(compose(Reindex(index, part.out_shape, shape), part))
        start += part.m
    return total(terms)


def _placed(term: LinearMap) -> _Part:
    if isinstance(term, Compose) and isinstance(term.outer, Reindex):
        to = torch.nonzero(term.outer.index >= 0)[:, 0]
        return _Part(term.inner, to, term.outer.index[to])
    rows = torch.arange(term.m, device=term.device)
    if isinstance(term, Reindex):
        rows = rows[term.index >= 0]
    return _Part(term, rows, rows)


def _dense(like: LinearMap, parts: Sequence[_Part]) -> Dense | None:
    bases = [part.base for part in parts]
    simple = all(isinstance(base, Dense | Diagonal | Reindex) for base in bases)
    if not simple or not any(isinstance(base, Dense) for base in bases):
        return None
    weight = torch.zeros(like.m, like.n, dtype=like.dtype, device=like.device)
    for part in parts:
        weight[part.to] = part.base.dense()[part.of]
    exact = all(base.exact for base in bases)
    return Dense(weight, like.in_shape, like.out_shape, exact=exact)


def _convolution(like: LinearMap, parts: Sequence[_Part]) -> LinearMap | None:
    """Join whole channels of convolutions that differ in nothing but their kernels."""
    moved = [_behind_movement(part.base) for part in parts]
    known = [(conv, movement) for conv, movement in moved if conv is not None]
    if len(known) < len(parts) or like.m != sum(len(part.to) for part in parts):
        return None
    (first, movement), *others = known
    if not all(_alike(first, conv) and _same(movement, moves) for conv, moves in others):
        return None
    size = first.m // first.out_shape[0]
    kernels, starts = [], []
    for part, (conv, _) in zip(parts, known, strict=True):
        to, of = part.to.reshape(-1, size), part.of.reshape(-1, size)
        steps = torch.arange(size, device=to.device)
        if not (torch.equal(to, to[:, :1] + steps) and torch.equal(of, of[:, :1] + steps)):
            return None
        if bool((to[:, 0] % size).any() or (of[:, 0] % size).any()):
            return None
        kernels.append(conv.weight[of[:, 0] // size])
        starts.append(to[:, 0])
    exact = all(conv.exact for conv, _ in known)
    joined = first.with_weight(torch.cat(kernels)[torch.argsort(torch.cat(starts))], exact=exact)
    return joined if movement is None else compose(joined, movement)


def _behind_movement(base: LinearMap) -> tuple[Convolution | None, Reindex | None]:
    """Return a convolution, and the movement of its inputs in front of it."""
    if isinstance(base, Compose) and isinstance(base.inner, Reindex):
        conv, movement = base.outer, base.inner
    else:
        conv, movement = base, None
    return (conv.ungrouped() if isinstance(conv, Convolution) else None), movement


def _alike(a: Convolution, b: Convolution) -> bool:
    geometry = [(c.in_shape, c.weight.shape[2:], c.stride, c.padding, c.dilation) for c in (a, b)]
    return geometry[0] == geometry[1]


def _same(a: Reindex | None, b: Reindex | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.in_shape == b.in_shape and torch.equal(a.index, b.index)
