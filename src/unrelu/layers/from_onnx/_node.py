"""What a converter of an ONNX node sees of it, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from unrelu.errors import ModelError
from unrelu.layers._graph import Value
from unrelu.layers.from_onnx._file import check_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unrelu.layers._graph import GraphBuilder, Known

Operand = Value | torch.Tensor
Converter = Callable[["Operation"], Operand | Sequence[Operand]]


@dataclass
class Operation:
    """A node together with its operands: constants are tensors, everything else is a `Value`.

    Attributes:
        build: The network under construction.
        name: Unique name of the node.
        operator: Its operator.
        opset: Version of the operators' definitions.
        inputs: Operands, ``None`` for an omitted one.
        owners: For every operand, the module that owns it, or ``None``.
        outputs: Number of results that the node names.
        attributes: Attributes as the file gives them.
    """

    build: GraphBuilder
    name: str
    operator: str
    opset: int
    inputs: tuple[Operand | None, ...]
    owners: tuple[str | None, ...]
    outputs: int
    attributes: Mapping[str, Any]
    _read: set[str] = field(default_factory=set)

    @property
    def node(self) -> tuple[str, str]:
        """Name and operator, as the builder wants them."""
        return self.name, self.operator

    def refuse(self, message: str) -> ModelError:
        """Return an error that names the node."""
        return ModelError(f"node {self.name!r} ({self.operator}): {message}")

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute; one that is never asked for is refused at the end."""
        self._read.add(name)
        return self.attributes.get(name, default)

    def check_attributes(self) -> None:
        """Refuse a node with an option that its converter did not look at.

        Raises:
            ModelError: If there is one.
        """
        unread = sorted(set(self.attributes) - self._read)
        if unread:
            raise self.refuse(f"the option {unread[0]!r} is not supported")

    def operand(self, position: int) -> Operand:
        """Return an operand that must be there."""
        operand = self.inputs[position] if position < len(self.inputs) else None
        if operand is None:
            raise self.refuse(f"operand {position} is missing")
        return operand

    def operands(self) -> list[Operand]:
        """Return all operands, none of them omitted."""
        return [self.operand(position) for position in range(len(self.inputs))]

    def value(self, position: int) -> Value:
        """Return an operand as a `Value`; a constant becomes one that depends on no activation."""
        return self.lift(self.operand(position))

    def lift(self, operand: Operand) -> Value:
        """Return a constant as a `Value` without terms."""
        if isinstance(operand, Value):
            return operand
        return Value((), self.floating(operand, "operand").reshape(-1), tuple(operand.shape))

    def floating(self, tensor: torch.Tensor, what: str) -> torch.Tensor:
        """Return a constant that must be of floating point."""
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise self.refuse(f"expected floating-point numbers as {what}, got {kind}")
        return tensor

    def constant(self, position: int, what: str) -> torch.Tensor:
        """Return an operand that must be a constant."""
        operand = self.operand(position)
        if isinstance(operand, Value):
            raise self.refuse(f"expected a constant {what}, got a tensor that depends on the input")
        return operand

    def weight(self, position: int, what: str) -> torch.Tensor:
        """Return an operand that must be a constant of floating point."""
        return self.floating(self.constant(position, what), what)

    def has(self, position: int) -> bool:
        """Whether an operand is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def integers(self, position: int, what: str) -> list[int] | None:
        """Return a constant operand as a list of integers, ``None`` if it is omitted."""
        if not self.has(position):
            return None
        tensor = self.constant(position, what)
        if tensor.is_floating_point():
            raise self.refuse(f"expected integers as {what}")
        return [int(entry) for entry in tensor.reshape(-1)]

    def axes(self) -> list[int] | None:
        """Return the axes to act on: an attribute or, in later opsets, the second operand."""
        axes = self.attribute("axes")
        return axes if axes is not None else self.integers(1, "axes")

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.refuse(f"axis {axis} of a tensor with {rank} axes")
        return axis % rank

    def check_broadcast(self, operands: Sequence[Operand]) -> None:
        """Refuse shapes that do not broadcast against each other, or whose broadcast is too large.

        Raises:
            ModelError: If they do not fit.
        """
        shapes = [tuple(operand.shape) for operand in operands]
        try:
            shape = torch.broadcast_shapes(*shapes)
        except RuntimeError as error:
            raise self.refuse(f"tensors of shapes {', '.join(map(str, shapes))} do not fit") from error
        check_size(shape, f"node {self.name!r}")

    def move(self, operand: Operand, movement: Callable[[torch.Tensor], torch.Tensor]) -> Operand:
        """Apply a function that only moves, repeats, drops or zero-fills entries."""
        if isinstance(operand, Value):
            return self.build.move(operand, movement, self.node)
        return movement(operand)

    def relu(self, operand: Operand) -> Operand:
        """Apply a ReLU."""
        if isinstance(operand, Value):
            return self.build.relu(operand, *self.node)
        return operand.clamp(min=0)

    def opaque(
        self,
        operands: Sequence[Operand],
        function: Callable[..., torch.Tensor],
        reason: str,
        known: Known | None = None,
    ) -> Operand:
        """Apply a function that is neither affine nor a ReLU; ``known`` as in the builder."""
        values = [operand for operand in operands if isinstance(operand, Value)]
        if not values:
            return function(*operands)

        def run(*tensors: torch.Tensor) -> torch.Tensor:
            given = iter(tensors)
            return function(*(next(given) if isinstance(o, Value) else o for o in operands))

        return self.build.opaque(values, run, self.node, reason, known)
