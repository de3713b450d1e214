"""The derivative of a network, ReLU by ReLU, along many directions at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, final

import torch

from unrelu.layers._graph import sample_shape
from unrelu.layers.maps import Reindex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from unrelu.layers._graph import Step, Value
    from unrelu.layers._network import Network
    from unrelu.layers.maps import LinearMap

OUTPUT = "(output)"  # the name of the stage behind the last ReLU; no layer has it
_ROW_BYTES = 16 << 20  # of rows that an affine map is applied to at a time
_CHUNK_BYTES = 256 << 20  # of the inputs of a function that is neither affine nor a ReLU


@dataclass(frozen=True)
class Stage:
    """The derivative at one place of the network.

    Attributes:
        name: The layer's name; the ReLU node's where it is no layer; `OUTPUT` behind the last one.
        shape: Shape of one sample there, without batch axis.
        tangents: Derivatives of the pre-activation along each direction, float64, shape
            ``(batch, directions, size)``; of length 1 in the batch axis where all samples share them.
        active: Which entries the ReLU keeps: the strictly positive ones, shape ``(batch, size)``; all of them
            at the output.
    """

    name: str
    shape: tuple[int, ...]
    tangents: torch.Tensor
    active: torch.Tensor


@final
class Linearisation:
    """A network at a batch of inputs: exact within their linear regions; entries at 0 count as inactive.

    Args:
        network: The network.
        x: Inputs, float64, shape ``(batch, n)`` with ``n`` entries of an input; everything is computed on
            their device.
    """

    def __init__(self, network: Network, x: torch.Tensor) -> None:
        """Store what is linearised where."""
        self._network, self._x = network, x
        self._steps = [replace(step, inputs=_on(x.device, step.inputs)) for step in network.steps]
        self._output = _on(x.device, [network.output])[0]
        self._relus = {network.name_of(step): step for step in self._steps if step.function is None}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample at every ReLU and at the output, by name and in order."""
        shapes = {name: sample_shape(step.shape) for name, step in self._relus.items()}
        return shapes | {OUTPUT: self._network.output_shape}

    @property
    def ends_with_relu(self) -> bool:
        """Whether the network's output is that of a ReLU."""
        output, relus = self._output, {step.name for step in self._relus.values()}
        name, linear = output.terms[0]
        alone = name in relus and isinstance(linear, Reindex) and linear.is_identity
        return len(output.terms) == 1 and alone and not bool(output.offset.any())

    def stages(self, directions: torch.Tensor) -> Iterator[Stage]:
        """Push directions through the network, all samples at once.

        What a stage hands out is valid until the next one is asked for.

        Args:
            directions: Float64, shape ``(directions, n)``.

        Yields:
            One stage a ReLU, and the output.
        """
        network = self._network
        values, tangents = {network.input_name: self._x}, {network.input_name: directions[None]}
        last = network.last_uses()
        for position, step in enumerate(self._steps):
            if step.function is None:
                z, t = step.inputs[0].evaluate(values), _evaluate(step.inputs[0], tangents)
                active = z > 0
                yield Stage(network.name_of(step), sample_shape(step.shape), t, active)
                values[step.name] = z.clamp_(min=0)
                # Zeroed in place where no other sample shares them: they may fill most of the memory.
                mask = active[:, None]
                tangents[step.name] = t.mul_(mask) if len(t) == len(mask) else t * mask
                del t
            else:
                values[step.name], tangents[step.name] = _differentiate(step, values, tangents)
            for name in [name for name in values if last.get(name, -1) <= position]:
                del values[name], tangents[name]
        kept = self._x.new_ones(len(self._x), math.prod(network.output_shape), dtype=torch.bool)
        yield Stage(OUTPUT, network.output_shape, _evaluate(self._output, tangents), kept)

    def function(self, name: str, *, after: bool) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a differentiable function from the inputs to one stage.

        Args:
            name: The stage.
            after: Whether the ReLU is applied there.
        """
        wanted = self._relus[name].name if name in self._relus else None

        def evaluate(x: torch.Tensor) -> torch.Tensor:
            values = {self._network.input_name: x}
            for step in self._steps:
                inputs = [value.evaluate(values) for value in step.inputs]
                if step.name == wanted and not after:
                    return inputs[0]
                values[step.name] = _apply(step, inputs)
                if step.name == wanted:
                    return values[step.name]
            return self._output.evaluate(values)

        return evaluate


def derivative(
    function: Callable[..., torch.Tensor], *points: torch.Tensor
) -> tuple[Callable[..., torch.Tensor], Callable[[torch.Tensor], tuple[torch.Tensor, ...]]]:
    """Return the products of a function's derivative ``J`` with vectors, and of its transpose.

    ``J v`` is the derivative of ``u -> Jᵀ u``, transposed: that is many times faster than forward mode.

    Args:
        function: From tensors to a tensor.
        points: Where.

    Returns:
        A function of one vector a point, and one of a vector of the function's shape.
    """
    value, pull, *_ = torch.func.vjp(function, *points)
    _, push, *_ = torch.func.vjp(pull, torch.zeros_like(value))
    return lambda *vectors: push(vectors)[0], pull


def _on(device: torch.device, values: Sequence[Value]) -> tuple[Value, ...]:
    """Return affine values on a device."""
    return tuple(
        replace(
            value,
            terms=tuple((name, linear.to(device=device)) for name, linear in value.terms),
            offset=value.offset.to(device),
        )
        for value in values
    )


def _evaluate(value: Value, tangents: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the derivative of an affine value, that of its linear part, as a new tensor."""
    parts = [_applied(linear, tangents[name]) for name, linear in value.terms]
    return parts[0] if len(parts) == 1 else reduce(torch.add, parts)


def _applied(linear: LinearMap, tangents: torch.Tensor) -> torch.Tensor:
    """Apply a map to few rows at a time: convolutions in float64 copy every window of what they are given."""
    rows = tangents.reshape(-1, tangents.shape[-1])
    out = rows.new_empty(len(rows), linear.m)
    room = max(1, _ROW_BYTES // (8 * max(1, linear.m, linear.n)))
    for start in range(0, len(rows), room):
        out[start : start + room] = linear.apply(rows[start : start + room])
    return out.reshape(*tangents.shape[:2], linear.m)


def _apply(step: Step, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Apply a step to flat inputs; torch.relu has derivative 0 at 0, where an entry is not active."""
    if step.function is None:
        return torch.relu(inputs[0])
    shaped = [t.reshape(len(t), *v.shape) for t, v in zip(inputs, step.inputs, strict=True)]
    result = step.function(*shaped)
    return result.reshape(len(result), -1)


def _differentiate(
    step: Step, values: dict[str, torch.Tensor], tangents: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return value and derivatives of a step that is no ReLU, directions in chunks."""
    inputs = [value.evaluate(values) for value in step.inputs]
    moves = [_evaluate(value, tangents) for value in step.inputs]
    batch, count = len(inputs[0]), moves[0].shape[1]
    room = _CHUNK_BYTES // (8 * max(1, sum(t.shape[-1] for t in inputs)) * batch)
    found = []
    for chunk in zip(*(t.split(max(1, room), dim=1) for t in moves), strict=True):
        size = chunk[0].shape[1]
        points = tuple(z[:, None].expand(-1, size, -1).reshape(batch * size, -1) for z in inputs)
        along = tuple(t.expand(batch, -1, -1).reshape(batch * size, -1) for t in chunk)
        push, _ = derivative(lambda *flat: _apply(step, flat), *points)
        found.append(push(*along).reshape(batch, size, -1))
    return _apply(step, inputs), torch.cat(found, dim=1) if count else found[0]
