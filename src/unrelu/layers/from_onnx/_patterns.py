"""Normalisations that a file writes as several nodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unrelu.layers._graph import Value
from unrelu.layers._normalisation import Normalisation
from unrelu.layers.from_onnx._file import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from unrelu.layers.from_onnx._file import FileNode
    from unrelu.layers.from_onnx._node import Operand


class Patterns:
    """Recognises several nodes as one function."""

    def __init__(self, nodes: Iterable[FileNode]) -> None:
        """Remember which node writes which tensor."""
        self._writers = {name: node for node in nodes for name in node.outputs}

    def rms_norm(self, node: FileNode, tensors: Mapping[str, Operand]) -> tuple[Value, Normalisation] | None:
        """Return ``x`` and what is done to it where a node writes ``x / sqrt(mean(x ** 2) + eps)``.

        Args:
            node: The last node, that multiplies by the reciprocal or divides.
            tensors: What the nodes before it have written.
        """
        for name, root in self._quotients(node):
            x = tensors.get(name)
            known = self._mean_square(name, root, tensors) if isinstance(x, Value) else None
            if isinstance(x, Value) and known is not None:
                first, eps = known
                count = math.prod(x.shape[first:])
                return x, Normalisation.of(x.shape, None, None, count, eps, centred=False)
        return None

    def _quotients(self, node: FileNode) -> list[tuple[str, str]]:
        """Return the tensors that may be a dividend and its divisor."""
        if len(node.inputs) != 2:
            return []
        a, b = node.inputs
        if node.proto.op_type == "Div":
            return [(a, b)]
        if node.proto.op_type != "Mul":
            return []
        orders = ((a, self._read(b, "Reciprocal")), (b, self._read(a, "Reciprocal")))
        return [(name, divisors[0]) for name, divisors in orders if divisors]

    def _mean_square(self, name: str, root: str, tensors: Mapping[str, Operand]) -> tuple[int, float] | None:
        """Return the first axis averaged over, all behind it included, and ``eps``."""
        for total in self._read(root, "Sqrt"):
            operands = self._read(total, "Add")
            for mean, constant in zip(operands, operands[::-1], strict=True):
                squares, eps = self._read(mean, "ReduceMean"), _number(tensors.get(constant))
                powers = self._read(squares[0], "Pow") if squares else ()
                if not powers or powers[0] != name or _number(tensors.get(powers[1])) != 2:
                    continue
                first = self._first_axis(self._writers[mean], tensors)
                plain = len(tensors[total].shape) == len(tensors[name].shape)  # nothing has added axes
                if plain and first is not None and eps is not None and 0 <= eps < math.inf:
                    return first, eps
        return None

    def _first_axis(self, mean: FileNode, tensors: Mapping[str, Operand]) -> int | None:
        """Return the first of the axes that a mean is taken over, if it keeps them and they are the last."""
        options, squares = attributes_of(mean.proto), tensors[mean.inputs[0]]
        given = tensors.get(mean.inputs[1]) if len(mean.inputs) > 1 else options.get("axes")
        if given is None or isinstance(given, Value) or options.get("keepdims", 1) != 1:
            return None
        rank = len(squares.shape)
        axes = sorted(int(axis) % rank for axis in torch.as_tensor(given).reshape(-1))
        return axes[0] if axes and axes == list(range(axes[0], rank)) else None

    def _read(self, name: str, operator: str) -> tuple[str, ...]:
        """Return what the writer of a tensor reads, if it is that operator."""
        node = self._writers.get(name)
        return tuple(node.inputs) if node is not None and node.proto.op_type == operator else ()


def _number(operand: Operand | None) -> float | None:
    if not isinstance(operand, torch.Tensor) or operand.numel() != 1:
        return None
    return float(operand)
