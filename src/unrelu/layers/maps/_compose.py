"""Maps made of maps: composition, sum and transpose."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Self, TypeGuard, final

import numpy as np
import torch

from unrelu.layers.maps._convolution import Convolution, per_channel
from unrelu.layers.maps._dense import Dense
from unrelu.layers.maps._elementary import Diagonal, Reindex
from unrelu.layers.maps._exactness import products_are_exact
from unrelu.layers.maps._linear import LinearMap, check_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp


@final
class Compose(LinearMap):
    """``outer @ inner``; build it with `compose`, which simplifies."""

    def __init__(self, outer: LinearMap, inner: LinearMap) -> None:
        """Store the factors; ``inner`` acts first."""
        self.outer, self.inner = outer, inner
        self.in_shape, self.out_shape = inner.in_shape, outer.out_shape

    @property
    def width(self) -> int:
        """Every path through the factors may be an entry."""
        return min(self.n, self.outer.width * self.inner.width)

    @property
    def fan_in(self) -> int:
        """Roundings of both factors add up."""
        return self.outer.fan_in + self.inner.fan_in

    @property
    def nnz(self) -> int:
        """Every entry of ``outer`` meets at most a row of ``inner``."""
        return min(self.m * self.width, self.outer.nnz * self.inner.width)

    @property
    def max_rank(self) -> int:
        """No more than either factor's."""
        return min(self.outer.max_rank, self.inner.max_rank)

    @cached_property
    def exact(self) -> bool:
        """Whether both maps are, and one only moves the entries of the other, or scales them exactly."""
        outer, inner = self.outer, self.inner
        if not (outer.exact and inner.exact):
            return False
        if isinstance(outer, Reindex) or _is_injective(inner):
            return True
        return _scales_exactly(outer, inner) or _scales_exactly(inner, outer)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The numbers of both factors."""
        return (*self.outer.tensors, *self.inner.tensors)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Apply ``inner``, then ``outer``."""
        return self.outer.apply(self.inner.apply(x))

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Apply the adjoints in the opposite order."""
        return self.inner.adjoint(self.outer.adjoint(y))

    def absolute(self) -> Compose:
        """Return ``|outer| |inner|``, entrywise at least ``|outer inner|``."""
        return Compose(self.outer.absolute(), self.inner.absolute())

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the product of the sparse factors."""
        return (self.outer.csr(index) @ self.inner.csr()).tocsr()

    def rows(self, index: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the rows: sparse products where the whole is sparse, else rows pulled back."""
        if self.is_sparse:
            return super().rows(index)
        return self.inner.adjoint(self.outer.rows(check_index(index, self.m)).to(self.dtype))

    def row_norms(self) -> torch.Tensor:
        """Return the Euclidean norms of the rows."""
        if self.is_sparse:
            return super().row_norms()
        return torch.linalg.vector_norm(self.dense(), dim=1)

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map elsewhere."""
        move = {"device": device, "dtype": dtype}
        return type(self)(self.outer.to(**move), self.inner.to(**move))


@final
class Sum(LinearMap):
    """The entrywise sum of maps between the same spaces."""

    def __init__(self, terms: Sequence[LinearMap], *, apart: bool = False) -> None:
        """Store the terms, at least one, and whether no entry of them meets another: nothing is rounded."""
        self.terms, self.apart = tuple(terms), apart
        self.in_shape, self.out_shape = terms[0].in_shape, terms[0].out_shape

    @property
    def width(self) -> int:
        """At most every term's entries."""
        return min(self.n, sum(term.width for term in self.terms))

    @property
    def fan_in(self) -> int:
        """Every term's products are summed."""
        return sum(term.fan_in for term in self.terms)

    @property
    def nnz(self) -> int:
        """At most every term's entries."""
        return min(self.m * self.n, sum(term.nnz for term in self.terms))

    @property
    def max_rank(self) -> int:
        """Ranks add up at most."""
        return min(self.m, self.n, sum(term.max_rank for term in self.terms))

    @property
    def exact(self) -> bool:
        """Adding entries rounds, unless each stands alone."""
        return self.apart and all(term.exact for term in self.terms)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The numbers of all terms."""
        return tuple(t for term in self.terms for t in term.tensors)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of the images."""
        return reduce(torch.add, (term.apply(x) for term in self.terms))

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return the sum of the adjoint images."""
        return reduce(torch.add, (term.adjoint(y) for term in self.terms))

    def absolute(self) -> Sum:
        """Return the sum of the absolute maps."""
        return Sum([term.absolute() for term in self.terms], apart=self.apart)

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the sum of the sparse terms."""
        return reduce(lambda a, b: (a + b).tocsr(), (term.csr(index) for term in self.terms))

    def rows(self, index: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the sum of the terms' rows."""
        return reduce(torch.add, (term.rows(index).to(self.dtype) for term in self.terms))

    def row_norms(self) -> torch.Tensor:
        """Return the Euclidean norms of the rows."""
        if self.is_sparse:
            return super().row_norms()
        return torch.linalg.vector_norm(self.dense(), dim=1)

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map elsewhere."""
        return type(self)([term.to(device=device, dtype=dtype) for term in self.terms], apart=self.apart)


@final
class Transpose(LinearMap):
    """``Wᵀ`` for a map that sums in one go: transposed convolution, and sums over groups of entries."""

    def __init__(self, base: Convolution | Dense | Diagonal | Reindex) -> None:
        """Store the map whose transpose this is."""
        self.base = base
        self.in_shape, self.out_shape = base.out_shape, base.in_shape

    @cached_property
    def width(self) -> int:
        """The most entries in a column of the base."""
        counts = np.diff(self.base.csr().tocsc().indptr)
        return int(counts.max(initial=1))

    @property
    def nnz(self) -> int:
        """The base's."""
        return self.base.nnz

    @property
    def max_rank(self) -> int:
        """The base's."""
        return self.base.max_rank

    @property
    def exact(self) -> bool:
        """Transposing rounds nothing."""
        return self.base.exact

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The base's numbers."""
        return self.base.tensors

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the base's adjoint."""
        return self.base.adjoint(x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Apply the base."""
        return self.base.apply(y)

    def absolute(self) -> Transpose:
        """Return the transpose of the absolute base."""
        return Transpose(self.base.absolute())

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the columns of the base as rows."""
        whole = self.base.csr().T.tocsr()
        return whole if index is None else whole[index]

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map elsewhere."""
        return type(self)(self.base.to(device=device, dtype=dtype))


def compose(outer: LinearMap, inner: LinearMap) -> LinearMap:
    """Return ``outer @ inner`` in its simplest form.

    Entries are moved, and rows scaled, inside the stored numbers where that keeps a dense map dense and a
    convolution a convolution; anything else becomes a `Compose`.
    """
    if isinstance(inner, Reindex) and inner.is_identity:
        return _reshaped(outer, inner.in_shape, outer.out_shape)
    if isinstance(outer, Reindex) and outer.is_identity:
        return _reshaped(inner, inner.in_shape, outer.out_shape)
    if isinstance(outer, Reindex) and isinstance(inner, Reindex):
        index = torch.where(outer.index >= 0, inner.index[outer.index.clamp(min=0)], -1)
        return Reindex(index, inner.in_shape, outer.out_shape)
    if isinstance(outer, Reindex | Diagonal) and _moves_first(inner):
        last = compose(outer, inner.outer)
        return Compose(outer, inner) if isinstance(last, Compose) else compose(last, inner.inner)
    if isinstance(outer, Reindex) and _chooses(outer):
        chosen = _chosen_rows(outer, inner)
        if chosen is not None:
            return chosen
    if isinstance(outer, Dense) and _is_injective(inner):
        return Dense(inner.adjoint(outer.weight), inner.in_shape, outer.out_shape, exact=outer.exact)
    scaled = _scaled(outer, inner) if isinstance(outer, Diagonal) else None
    return Compose(outer, inner) if scaled is None else scaled


def _scaled(outer: Diagonal, inner: LinearMap) -> LinearMap | None:
    """Return a map with scaled rows as one of its kind; ``None`` where there is none."""
    exact = outer.exact and inner.exact
    if isinstance(inner, Dense):
        exact = exact and products_are_exact(outer.scale, inner.weight)
        weight = outer.scale[:, None] * inner.weight
        return Dense(weight, inner.in_shape, outer.out_shape, exact=exact)
    if isinstance(inner, Diagonal):
        exact = exact and products_are_exact(outer.scale, inner.scale)
        return Diagonal(outer.scale * inner.scale, inner.in_shape, exact=exact)
    scale = per_channel(outer.scale, inner.out_shape) if isinstance(inner, Convolution) else None
    if scale is None or not isinstance(inner, Convolution):
        return None
    scaled = inner.scaled(scale)
    return scaled if outer.exact else scaled.with_weight(scaled.weight, exact=False)


def _scales_exactly(diagonal: LinearMap, other: LinearMap) -> bool:
    """Whether the products of a diagonal's entries with those of another map are not rounded."""
    if not isinstance(diagonal, Diagonal) or isinstance(other, Compose | Sum):
        return False
    # A map without numbers of its own has entries 0 and 1.
    return all(products_are_exact(diagonal.scale, t) for t in other.tensors if t.is_floating_point())


def _moves_first(inner: LinearMap) -> TypeGuard[Compose]:
    return isinstance(inner, Compose) and isinstance(inner.inner, Reindex)


def _chosen_rows(outer: Reindex, inner: LinearMap) -> LinearMap | None:
    """Return rows of a dense map, or whole channels of a convolution, as a map of that kind."""
    if isinstance(inner, Dense):
        return Dense(inner.weight[outer.index], inner.in_shape, outer.out_shape, exact=inner.exact)
    if not isinstance(inner, Convolution) or not outer.m:
        return None
    size = inner.m // inner.out_shape[0]
    rows = outer.index.reshape(-1, size) if outer.m % size == 0 else outer.index[:, None]
    starts = rows[:, :1]
    if bool((starts % size).any()) or not torch.equal(rows, starts + torch.arange(size, device=rows.device)):
        return None
    whole = inner.ungrouped()
    return whole.with_weight(whole.weight[starts[:, 0] // size])


def _chooses(outer: Reindex) -> bool:
    """Whether every entry comes from a different place: what is chosen is no larger than what was there."""
    return bool((outer.index >= 0).all()) and _is_injective(outer)


def _is_injective(inner: LinearMap) -> bool:
    """Whether ``inner`` moves every entry to at most one place, so that pulling rows back adds nothing."""
    if not isinstance(inner, Reindex):
        return False
    kept = inner.index[inner.index >= 0]
    return len(torch.unique(kept)) == len(kept)


def _reshaped(linear: LinearMap, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> LinearMap:
    """Return the same matrix with other names for its axes, where its class can carry them."""
    if isinstance(linear, Dense):
        return Dense(linear.weight, in_shape, out_shape, exact=linear.exact)
    if isinstance(linear, Reindex):
        return Reindex(linear.index, in_shape, out_shape)
    return linear
