"""Which type of floating point the constants of a file have: what is computed from them is rounded to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from unrelu.layers.from_onnx._file import onnx_package, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unrelu.layers.from_onnx._file import FileNode

_NARROW = {"FLOAT": torch.float32, "FLOAT16": torch.float16, "BFLOAT16": torch.bfloat16}
_STORING = ("Constant", "ConstantOfShape")


class Precision:
    """The types narrower than float64 among the tensors of a file, by name."""

    def __init__(self, initializers: Mapping[str, Any]) -> None:
        """Start with the stored tensors."""
        kinds = {name: _narrow(tensor.data_type) for name, tensor in initializers.items()}
        self._types = {name: kind for name, kind in kinds.items() if kind is not None}

    def rounded(self, node: FileNode, name: str, result: torch.Tensor) -> torch.Tensor:
        """Return a constant that a node computes, in float64, as the file's own arithmetic rounds it.

        Args:
            node: The node.
            name: Name of the result.
            result: The constant.
        """
        kind = self._written(node)
        if kind is None or not result.is_floating_point():
            return result
        self._types[name] = kind
        return result.to(kind).to(result.dtype)

    def _written(self, node: FileNode) -> torch.dtype | None:
        """Return the type of a node's results: that of its operands, if it does not change or store one."""
        options = {
            entry.name: onnx_package().helper.get_attribute_value(entry) for entry in node.proto.attribute
        }
        if node.proto.op_type == "Cast":
            return _narrow(options["to"])
        if node.proto.op_type in _STORING:
            value = options.get("value")
            return torch.float32 if value is None else _narrow(value.data_type)
        kinds = {self._types.get(name) for name in node.inputs if name in self._types}
        return kinds.pop() if len(kinds) == 1 else None


def _narrow(number: int) -> torch.dtype | None:
    return _NARROW.get(type_of(number)[0])
