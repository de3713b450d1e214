"""What proves that two inputs have the same output, nearly or exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._domain_record import POLYHEDRA, DomainRecord, domain_fields, read_domain
from unrelu.certificates._fields import Fields, number_list, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer

_MOST_LAYERS = 10_000


@registered
@dataclass(frozen=True, eq=False)
class CollisionCertificate(Certificate):
    """Another input of the domain with the output of ``x``: ``other``, up to a proved radius.

    Attributes:
        layer: The layer.
        domain: The domain.
        x: The one input, float64, shape ``(n,)``.
        other: The other one, shape ``(n,)``.
        radius: Claim: some point of the domain, not ``x``, at a Euclidean distance of at most this from
            ``other`` has exactly the output of ``x``. Infinite where nothing is claimed.
        difference: Claim: a bound of the largest entry of ``|relu(W other + b) - relu(W x + b)|``.
    """

    form: ClassVar[str] = "collision"

    layer: LayerRecord | LayerReference
    domain: DomainRecord
    x: np.ndarray
    other: np.ndarray
    radius: float
    difference: float

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them; a radius of null is infinite."""
        return {
            "layer": layer_fields(self.layer, rows),
            "domain": domain_fields(self.domain),
            "x": number_list(self.x),
            "other": number_list(self.other),
            "radius": self.radius if math.isfinite(self.radius) else None,
            "difference": self.difference,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layer, domain = read_layer(fields.child("layer")), read_domain(fields.child("domain"))
        check_sizes([layer], domain, fields)
        x, other = fields.floats("x", layer.n), fields.floats("other", layer.n)
        radius = math.inf if fields.skip_null("radius") else fields.number("radius")
        return cls(layer, domain, x, other, radius, fields.number("difference"))


@registered
@dataclass(frozen=True, eq=False)
class NetworkCollisionCertificate(Certificate):
    """Two inputs whose outputs under a chain of ReLU layers differ by no more than stated.

    Attributes:
        layers: The ReLU layers, in order.
        last: An affine map behind them, without a ReLU; ``None`` where there is none.
        domain: The domain.
        x: The one input, float64, shape ``(n,)``.
        other: The other one, shape ``(n,)``.
        difference: Claim: a bound of the largest entry of ``|F(other) - F(x)|``.
    """

    form: ClassVar[str] = "network-collision"

    layers: tuple[LayerRecord | LayerReference, ...]
    last: LayerRecord | LayerReference | None
    domain: DomainRecord
    x: np.ndarray
    other: np.ndarray
    difference: float

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            **chain_fields(self.layers, self.last, rows),
            "domain": domain_fields(self.domain),
            "x": number_list(self.x),
            "other": number_list(self.other),
            "difference": self.difference,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layers, last, domain = read_chain(fields)
        n = layers[0].n
        x, other = fields.floats("x", n), fields.floats("other", n)
        return cls(layers, last, domain, x, other, fields.number("difference"))


def chain_fields(
    layers: Sequence[LayerRecord | LayerReference], last: LayerRecord | LayerReference | None, rows: bool
) -> dict[str, Any]:
    """Return the maps of a chain as JSON holds them."""
    return {
        "layers": [layer_fields(layer, rows) for layer in layers],
        "last": None if last is None else layer_fields(last, rows),
    }


def read_chain(
    fields: Fields, kinds: tuple[str, ...] = POLYHEDRA
) -> tuple[tuple[LayerRecord | LayerReference, ...], LayerRecord | LayerReference | None, DomainRecord]:
    """Read what `chain_fields` returned, and the domain beside it, one of some kinds.

    Raises:
        ArgumentError: If a field is not as expected, or sizes do not fit.
    """
    layers = tuple(map(read_layer, entries_of_layers(fields)))
    last = None if fields.skip_null("last") else read_layer(fields.child("last"))
    domain = read_domain(fields.child("domain"), kinds)
    check_sizes(layers if last is None else (*layers, last), domain, fields, kinds)
    return layers, last, domain


def entries_of_layers(fields: Fields) -> list[Fields]:
    """Return what stands for each layer of a chain.

    Raises:
        ArgumentError: If there is none, or far too many.
    """
    entries = fields.entries("layers")
    if not 1 <= len(entries) <= _MOST_LAYERS:
        refuse(fields.name("layers"), f"1 to {_MOST_LAYERS} layers", f"{len(entries)}")
    return [Fields(entry, f"{fields.name('layers')}[{k}]") for k, entry in enumerate(entries)]


def check_sizes(
    layers: Sequence[LayerRecord | LayerReference],
    domain: DomainRecord,
    fields: Fields,
    kinds: tuple[str, ...] = POLYHEDRA,
) -> None:
    """Refuse a chain whose sizes do not fit, and kinds of domains that a certificate does not know.

    Raises:
        ArgumentError: Naming the first pair that does not.
    """
    if domain.kind not in kinds:
        refuse(fields.name("domain.kind"), f"one of {', '.join(kinds)}", domain.kind)
    if domain.n != layers[0].n:
        refuse(fields.name("domain.n"), f"{layers[0].n}, as the layer says", f"{domain.n}")
    for before, after in itertools.pairwise(layers):
        if before.m != after.n:
            refuse(fields.name("layers"), f"{before.m} inputs of {after.name!r}", f"{after.n}")
