"""A network as its ReLU layers in order, together with all that lies between them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, final

import torch

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.errors import ArgumentError, ModelError
from unrelu.layers._chain import Chain
from unrelu.layers._graph import GraphBuilder, Skipped, sample_shape
from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers._segments import Segment, segments
from unrelu.layers._stack import stack
from unrelu.layers.links import Link, links
from unrelu.layers.maps import Compose, Diagonal, Reindex

if TYPE_CHECKING:
    from unrelu.certificates import LinkRecord
    from unrelu.layers._graph import Step, Value
    from unrelu.layers._normalisation import Statistics
    from unrelu.layers.maps import LinearMap


@final
class Network(Mapping[str, ReLULayer]):
    """A traced network: a mapping from layer names to `ReLULayer`, in the order of evaluation.

    A layer is found by its name (the module that owns its weight, where there is one), by the name of its
    ReLU node, or by position. Every node of the model is in a layer's ``nodes`` or in ``skipped``.

    Attributes:
        input_shape: Shape of one input sample, without batch axis.
        output_shape: Shape of one output sample, without batch axis.
        skipped: Nodes that no layer's analysis covers, with reasons.
        nodes: For every layer name, the model's nodes folded into it.
        origin: Where the network came from.
        steps: What is computed, in order: ReLUs, and functions that are neither affine nor a ReLU.
        output: The network's output, affine in activations.
    """

    def __init__(self, build: GraphBuilder, source: Value, output: Value, origin: str) -> None:
        """Assemble the layers from what an importer collected.

        Raises:
            ModelError: If the network has no ReLU at all.
        """
        self.origin = origin
        self.input_shape = sample_shape(source.shape)
        self.output_shape = sample_shape(output.shape)
        self._input = source.sources[0]
        self.steps = tuple(build.steps)
        self.output = output
        self._layers: dict[str, ReLULayer] = {}
        self.nodes: dict[str, tuple[str, ...]] = {}
        skipped = list(build.skipped)
        for step in self.steps:
            if step.function is None:
                skipped += self._add_layer(step)
        skipped += [Skipped(node, op, "affine, but no ReLU follows it") for node, op in output.nodes]
        covered = {node for nodes in self.nodes.values() for node in nodes}
        self.skipped = tuple({s.node: s for s in skipped if s.node not in covered}.values())
        self._by_node = {layer.node: name for name, layer in self._layers.items()}
        if not any(step.function is None for step in self.steps):
            raise ModelError(f"{origin}: the network has no ReLU")

    @classmethod
    def of_layer(cls, layer: ReLULayer) -> Network:
        """Return the network that consists of one layer."""
        build = GraphBuilder()
        source = build.input((1, *layer.in_shape))
        node = (f"{layer.name} (affine)", "affine")
        shape = (1, *layer.out_shape)
        affine = build.affine(
            source, layer.linear, shape, node, offset=layer.bias, rounded=layer.rounded, owner=layer.name
        )
        return cls(build, source, build.relu(affine, layer.node, "relu"), layer.name)

    def name_of(self, step: Step) -> str:
        """Return the name of the layer that a step belongs to, its own where there is none."""
        return self._by_node.get(step.name, step.name)

    @property
    def input_name(self) -> str:
        """What layers call the network's input as their source."""
        return self._input

    def _add_layer(self, step: Step) -> list[Skipped]:
        value = step.inputs[0]
        source, linear = value.terms[0]
        reason = self._not_a_layer(source, linear)
        if reason:
            affine = [
                Skipped(node, op, f"elementwise, and {step.name!r} is not analysed")
                for node, op in value.nodes
            ]
            return [*affine, Skipped(step.name, step.operator, reason)]
        name = self._free_name(value.owner or step.name)
        layer = ReLULayer(linear, name=name, node=step.name, source=source, rounded=value.rounded)
        layer.bias = value.offset
        self._layers[name] = layer
        self.nodes[name] = (*dict.fromkeys(node for node, _ in value.nodes), step.name)
        return []

    def _free_name(self, base: str) -> str:
        """Return the owner's name, with a number behind it for its second layer and those that follow."""
        if base not in self._layers:
            return base
        owners = {value.owner for step in self.steps for value in step.inputs}
        numbered = (f"{base}_{k}" for k in count(1))
        return next(name for name in numbered if name not in self._layers and name not in owners)

    def _not_a_layer(self, source: str, linear: LinearMap) -> str | None:
        """Say why a ReLU is no layer: it acts entry by entry on something that is not an activation."""
        kind = next((s for s in self.steps if s.name == source), None)
        if kind is None or kind.function is None or not _is_elementwise(linear):
            return None
        return (
            f"acts on {source!r} ({kind.operator}) entry by entry; "
            "its pre-activation is affine in no single activation"
        )

    def __getitem__(self, key: str | int) -> ReLULayer:
        """Return a layer by name, by the name of its ReLU node, or by position."""
        if not isinstance(key, str):
            try:
                return list(self._layers.values())[operator.index(key)]
            except (IndexError, TypeError):
                raise KeyError(f"no layer {key!r}: the network has {len(self)} layers") from None
        name = key if key in self._layers else self._by_node.get(key, key)
        if name not in self._layers:
            raise KeyError(f"no layer {key!r}; the layers are {', '.join(map(repr, self._layers))}")
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over layer names in the order of evaluation."""
        return iter(self._layers)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self._layers)

    def __repr__(self) -> str:
        """List the layers with their sizes."""
        layers = ", ".join(f"{name}: {layer.n}->{layer.m}" for name, layer in self._layers.items())
        return f"Network({self.origin!r}, {layers}; {len(self.skipped)} nodes not analysed)"

    def forward(self, x: Array) -> Array:
        """Return the network's output in float64 for samples ``x`` of shape ``(..., *input_shape)``.

        Raises:
            ArgumentError: If the shape does not fit or an entry is not finite.
        """
        tensor, batch, _ = self._samples(x)
        activations = {self._input: tensor}
        for _ in self._run(activations):
            pass
        return like(self.output.evaluate(activations).reshape(*batch, *self.output_shape), x)

    def chain(self) -> Chain:
        """Return the network as a chain of ReLU layers, with an affine map behind them if there is one.

        Raises:
            ArgumentError: If it is none, naming the first node that reads or does something else.
        """
        self._check_chain()
        linear, offset = self.output.terms[0][1], self.output.offset.double().cpu()
        layers = tuple(layer.to(device="cpu", dtype=torch.float64) for layer in self.values())
        if isinstance(linear, Reindex) and linear.is_identity and not bool(offset.any()):
            return Chain(layers, None, None)
        last = linear.to(device="cpu", dtype=torch.float64)
        return Chain(layers, last, offset, rounded=self.output.rounded)

    def stacked(self) -> Chain:
        """Return the network as a chain whose layers also pass on what skips them; see `stack`.

        Raises:
            ArgumentError: If a node is neither affine nor a ReLU, or the layers would be very large.
        """
        try:
            return self.chain()
        except ArgumentError:
            return stack(self)

    def segments(self) -> tuple[Segment, ...]:
        """Return the parts of the network between normalisations by statistics; see `segments`.

        Raises:
            ArgumentError: If it is no chain of layers and normalisations.
        """
        return segments(self)

    def links(self) -> tuple[Link, ...]:
        """Return the parts between tensors through which everything behind sees the input; see `links`."""
        return self._links

    @cached_property
    def _links(self) -> tuple[Link, ...]:
        return links(self)

    def link_records(self) -> tuple[LinkRecord, ...]:
        """Return the numbers of these parts as certificates hold them."""
        return tuple(link.record() for link in self.links())

    def _check_chain(self) -> None:
        expected, source = "network: expected a chain of ReLU layers", self._input
        for step in self.steps:
            if step.function is not None:
                raise ArgumentError(f"{expected}, but {step.name!r} is {step.operator}")
            if step.inputs[0].sources != (source,):
                read = ", ".join(map(repr, step.inputs[0].sources))
                raise ArgumentError(f"{expected}, but {step.name!r} reads {read} and not {source!r} alone")
            source = step.name
        if self.output.sources != (source,):
            read = ", ".join(map(repr, self.output.sources))
            raise ArgumentError(f"{expected}, but the output reads {read} and not {source!r} alone")

    @property
    def first_layer(self) -> ReLULayer | None:
        """The layer through which everything sees the input; ``None`` where there is no such one."""
        readers = [s for s in self.steps if self._input in {name for v in s.inputs for name in v.sources}]
        layers = [layer for layer in self.values() if layer.source == self._input]
        only = len(readers) == len(layers) == 1 and self._input not in self.output.sources
        return layers[0] if only else None

    def walk(self, x: Array) -> Iterator[tuple[ReLULayer, torch.Tensor]]:
        """Evaluate the network and hand out each layer with its inputs, in order.

        Args:
            x: Samples of shape ``(batch, *input_shape)``.

        Yields:
            The layer, and the float64 activations it is affine in, of shape ``(batch, layer.n)``.
        """
        tensor, _, _ = self._samples(x)
        yield from self._run({self._input: tensor})

    def statistics(self, x: Array) -> dict[str, Statistics]:
        """Return what the normalisations of the network divide by at samples, by node name.

        With them `unrelu.invert` goes back through layer, group and instance normalisation, which are
        injective given their statistics only (Puthawala et al. 2022, Definition 3).

        Args:
            x: Samples of shape ``(..., *input_shape)``.
        """
        tensor, _, _ = self._samples(x)
        return {
            step.name: step.normalisation.statistics(inputs[0])
            for step, inputs in self._steps({self._input: tensor})
            if step.normalisation is not None
        }

    def _samples(self, x: Array) -> tuple[torch.Tensor, tuple[int, ...], bool]:
        device = next(iter(self._layers.values())).bias.device if self._layers else None
        return flatten_samples(to_tensor(x, "x", device=device), self.input_shape, "x")

    def _run(self, activations: dict[str, torch.Tensor]) -> Iterator[tuple[ReLULayer, torch.Tensor]]:
        """Compute all steps, and hand out each layer with its inputs."""
        for step, _ in self._steps(activations):
            if step.name in self._by_node:
                layer = self._layers[self._by_node[step.name]]
                yield layer, activations[layer.source]

    def _steps(self, activations: dict[str, torch.Tensor]) -> Iterator[tuple[Step, list[torch.Tensor]]]:
        """Compute the steps in order, with what each reads, forgetting what nothing reads any more."""
        last = self.last_uses()
        for position, step in enumerate(self.steps):
            inputs = [value.evaluate(activations) for value in step.inputs]
            if step.function is None:
                # A new tensor: the pre-activation is not overwritten.
                activations[step.name] = inputs[0].clamp(min=0)
            else:
                shaped = [t.reshape(len(t), *v.shape) for t, v in zip(inputs, step.inputs, strict=True)]
                result = step.function(*shaped)
                activations[step.name] = result.reshape(len(result), -1)
            yield step, inputs
            for name in [name for name in activations if last.get(name, -1) <= position]:
                del activations[name]

    def last_uses(self) -> dict[str, float]:
        """Return, for every activation, the position of the last step that reads it."""
        last: dict[str, float] = {}
        for position, step in enumerate(self.steps):
            last |= {name: position for value in step.inputs for name in value.sources}
        return last | {name: float("inf") for name in self.output.sources}


def _is_elementwise(linear: LinearMap) -> bool:
    if isinstance(linear, Compose):
        return _is_elementwise(linear.outer) and _is_elementwise(linear.inner)
    return isinstance(linear, Diagonal | Reindex)
