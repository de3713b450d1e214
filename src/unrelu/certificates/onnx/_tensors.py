"""A tensor of an ONNX file: an affine map, or a function, of those that its node reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrelu.certificates.links import EntryFunction, NormRecord
from unrelu.certificates.onnx._operators import Operand
from unrelu.certificates.onnx._values import Value


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor that depends on the model's input.

    Attributes:
        node: Name of the node that computes it.
        kind: ``"affine"``, or what kind of function it is of the affine map, as of a `LinkStep`.
        reads: Numbers of the tensors that it is computed from, each once.
        value: The affine map of these, one behind the other.
        size: Number of entries.
        groups: Of maxima.
        norm: Of a normalisation.
        function: Of a function of entries.
        operator: Of an opaque function: what it is in the model.
        operands: Of an opaque function: what it is applied to.
    """

    node: str
    kind: str
    reads: tuple[int, ...]
    value: Value
    size: int
    groups: np.ndarray | None = None
    norm: NormRecord | None = None
    function: EntryFunction | None = None
    operator: str = ""
    operands: tuple[Operand | None, ...] = ()
