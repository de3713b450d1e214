"""What a converter of a core-ATen operator sees of its node, and what it does where it knows no better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx

from unrelu.layers._graph import GraphBuilder, Known, Value


@dataclass(frozen=True)
class Call:
    """One call in the graph, its arguments replaced by constants and values.

    Attributes:
        build: The graph under construction.
        fx_node: The node itself.
        args: Positional arguments.
        kwargs: Keyword arguments.
        node: Name and operator for reports.
        owner: Name of the weight among the arguments, or of the module that made the call.
    """

    build: GraphBuilder
    fx_node: fx.Node
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    node: tuple[str, str]
    owner: str | None

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by position or keyword."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    def function(self, x: torch.Tensor) -> Any:
        """Apply the operator itself, with another first argument."""
        kwargs = {name: value for name, value in self.kwargs.items() if name != "memory_format"}
        return target_of(self.fx_node)(x, *self.args[1:], **kwargs)

    @property
    def positions(self) -> list[int]:
        """Which parts of a tuple are read."""
        return sorted({cast("int", user.args[1]) for user in self.fx_node.users})


Converter = Callable[[Call], Any]


def convert_unknown(call: Call, reason: str | None = None) -> Any:
    """Keep an operator as it is: it is evaluated by torch, and listed as not analysed."""
    reason = reason or _REASONS.get(call.node[1], "is not affine, or not known to be")
    if not isinstance(call.fx_node.meta.get("val"), tuple | list):
        return opaque(call, reason)
    return {position: opaque(call, reason, position) for position in call.positions}


_REASONS = {
    "_softmax": "softmax is not affine",
    "_log_softmax": "softmax is not affine",
}


def opaque(
    call: Call,
    reason: str,
    position: int | None = None,
    known: Known | None = None,
) -> Value:
    """Evaluate the operator itself on the values among its arguments; ``known`` as in the builder."""
    values: list[Value] = []

    def slot(argument: Any, source: Any) -> Any:
        if isinstance(argument, Value):
            values.append(argument)
            return _Slot(len(values) - 1, source.meta["val"].dtype)
        if isinstance(argument, list | tuple):
            return type(argument)(map(slot, argument, source))
        return argument

    args = slot(call.args, call.fx_node.args)
    kwargs = {key: slot(value, call.fx_node.kwargs[key]) for key, value in call.kwargs.items()}
    target = target_of(call.fx_node)

    def evaluate(*tensors: torch.Tensor) -> torch.Tensor:
        out = target(*_fill(args, tensors), **{k: _fill(v, tensors) for k, v in kwargs.items()})
        return out if position is None else out[position]

    return call.build.opaque(values, evaluate, call.node, reason, known)


@dataclass(frozen=True)
class _Slot:
    """The place of a value among an operator's arguments.

    Attributes:
        position: Position among the values.
        dtype: What the operator expects: numbers are float64 here, but conditions and indices are not.
    """

    position: int
    dtype: torch.dtype


def _fill(argument: Any, tensors: tuple[torch.Tensor, ...]) -> Any:
    if isinstance(argument, _Slot):
        tensor = tensors[argument.position]
        return tensor if argument.dtype.is_floating_point else tensor.to(argument.dtype)
    if isinstance(argument, list | tuple):
        return type(argument)(_fill(a, tensors) for a in argument)
    return argument


def each_axis(sizes: Sequence[int], dims: int) -> list[int]:
    """Repeat a single number for every spatial axis."""
    return list(sizes) * dims if len(sizes) == 1 else list(sizes)


def flat(arguments: Any) -> list[Any]:
    """Return the entries of nested lists and tuples."""
    if isinstance(arguments, list | tuple):
        return [entry for argument in arguments for entry in flat(argument)]
    return [arguments]


def target_of(node: fx.Node) -> Callable[..., Any]:
    """Return the function that a ``call_function`` node calls."""
    return cast("Callable[..., Any]", node.target)
