"""A chain of layers evaluated exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from unrelu.certificates._affine import quotients
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import whole


def preactivations(layers: Sequence[LayerRecord], x: np.ndarray) -> Iterator[list[Fraction]]:
    """Yield ``W a + b`` of each layer of a chain in turn, in exact arithmetic.

    Args:
        layers: The layers, a ReLU behind each.
        x: An input of the first, shape ``(n,)``, float64.
    """
    activation = [Fraction(v) for v in x.tolist()]
    for layer in layers:
        values = _affine(layer, *whole(activation))
        yield values
        activation = [max(v, Fraction(0)) for v in values]


def forward(layers: Sequence[LayerRecord], last: LayerRecord | None, x: np.ndarray) -> list[Fraction]:
    """Return the output of a chain, with an affine map behind it if there is one, in exact arithmetic."""
    *_, values = preactivations([*layers, *([] if last is None else [last])], x)
    return [max(v, Fraction(0)) for v in values] if last is None else values


def _affine(layer: LayerRecord, values: list[int], common: int) -> list[Fraction]:
    """Return ``W x + b`` exactly, for ``x = values / common``."""
    return quotients(layer, layer.affine.times([*values, common]), common)
