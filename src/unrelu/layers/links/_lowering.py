"""The tensors between two cuts of a network as few steps, with the numbers of the model where possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.layers._graph import image_of, sample_shape
from unrelu.layers.links._link import LinkPart
from unrelu.layers.maps import LinearMap, Reindex, compose, sums_are_exact, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers.links._places import Place


@dataclass(frozen=True, eq=False)
class _Affine:
    """A tensor as a function of what a link reads (0) and of the results of its parts (from 1).

    Attributes:
        terms: Pairs of one of these and the map applied to it.
        offset: What is added.
        rounded: Whether that is rounded.
    """

    terms: tuple[tuple[int, LinearMap], ...]
    offset: torch.Tensor
    rounded: bool = False

    @classmethod
    def of(cls, index: int, shape: Sequence[int]) -> _Affine:
        """Return one of these results as it stands."""
        same = Reindex.identity(sample_shape(shape))
        return cls(((index, same),), torch.zeros(same.m, dtype=torch.float64))

    @property
    def exact(self) -> bool:
        """Whether all numbers are the model's own."""
        return not self.rounded and all(linear.exact for _, linear in self.terms)

    @property
    def is_plain(self) -> bool:
        """Whether it is what a part puts out, as it stands."""
        if len(self.terms) != 1 or bool(self.offset.any()):
            return False
        linear = self.terms[0][1]
        return isinstance(linear, Reindex) and linear.is_identity


class Lowering:
    """The steps from one place of a network to a later one.

    Attributes:
        parts: The steps.
    """

    def __init__(self, places: Sequence[Place], start: int, stop: int, *, fold: bool) -> None:
        """Write all places behind ``start``, up to ``stop``, as steps.

        Args:
            places: Those of the network.
            start: What the link reads.
            stop: Its result.
            fold: Whether affine maps are folded into one even where that rounds; otherwise they become steps
                of their own there.
        """
        self.parts: list[LinkPart] = []
        self._places, self._fold = places, fold
        self._known = {start: _Affine.of(0, places[start].shape)}
        for position in range(start + 1, stop + 1):
            if places[position].step is not None:
                self._known[position] = self._activation(places[position])
        if places[stop].step is None:
            self._append("affine", places[stop], self._value(stop))

    def _append(self, kind: str, place: Place, value: _Affine, size: int | None = None) -> _Affine:
        """Add a step, and return its result."""
        step = place.step
        self.parts.append(
            LinkPart(
                kind,
                place.owner if len(value.terms) == 1 else place.name,
                place.name,
                value.terms,
                value.offset,
                value.rounded,
                len(value.offset) if size is None else size,
                None if step is None else step.groups,
                None if step is None else step.normalisation,
                None if step is None else step.entry,
            )
        )
        return _Affine.of(len(self.parts), place.shape)

    def _activation(self, place: Place) -> _Affine:
        kind = _kind(place)
        if kind != "opaque":
            return self._append(kind, place, self._value(place.reads[0]), place.size)
        shapes: dict[int, tuple[int, ...]] = {}
        for read in place.reads:
            shapes |= self._sources(read)
        terms = tuple((k, Reindex.identity(shape)) for k, shape in shapes.items())
        nothing = torch.zeros(place.size, dtype=torch.float64)
        return self._append(kind, place, _Affine(terms, nothing), place.size)

    def _sources(self, position: int) -> dict[int, tuple[int, ...]]:
        """Return the steps that a tensor depends on, with their shapes; nothing is computed for it."""
        if position in self._known:
            return {k: linear.in_shape for k, linear in self._known[position].terms}
        found: dict[int, tuple[int, ...]] = {}
        for read in self._places[position].reads:
            found |= self._sources(read)
        return found

    def _value(self, position: int) -> _Affine:
        """Return a tensor as a function of the steps, found when it is first asked for."""
        if position not in self._known:
            self._known[position] = self._combined(self._places[position])
        return self._known[position]

    def _combined(self, place: Place) -> _Affine:
        """Return an affine operation as a function of the steps, with further steps if it would round."""
        inputs = [self._value(read) for read in place.reads]
        folded = _folded(place, inputs)
        own = not place.rounded and all(linear.exact for linear in place.maps)
        if self._fold or folded.exact or not own or not all(value.exact for value in inputs):
            return folded
        for read in place.reads:
            if not self._known[read].is_plain:
                self._known[read] = self._append("affine", self._places[read], self._known[read])
        return _folded(place, [self._known[read] for read in place.reads])


def _kind(place: Place) -> str:
    step = place.step
    if place.is_relu or step is None:
        return "relu"
    known = {"maximum": step.groups, "normalised": step.normalisation, "entrywise": step.entry}
    return next((kind for kind, what in known.items() if what is not None), "opaque")


def _folded(place: Place, inputs: Sequence[_Affine]) -> _Affine:
    """Return an affine operation on functions of the steps as one such function."""
    maps: dict[int, list[LinearMap]] = {}
    offset = torch.zeros(place.size, dtype=torch.float64)
    rounded = place.rounded or any(value.rounded for value in inputs)
    constants = [] if place.constant is None else [place.constant]
    for linear, value in zip(place.maps, inputs, strict=True):
        for k, inner in value.terms:
            maps.setdefault(k, []).append(compose(linear, inner))
        image, rounds = image_of(linear, value.offset)
        rounded = rounded or rounds
        constants.insert(0, image)
    for constant in constants:
        rounded = rounded or not sums_are_exact(offset, constant)
        offset = offset + constant
    return _Affine(tuple((k, total(linears)) for k, linears in maps.items()), offset, rounded)
