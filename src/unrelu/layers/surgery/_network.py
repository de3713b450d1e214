"""Rows appended to a layer of a traced network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from unrelu.layers._graph import GraphBuilder
from unrelu.layers._network import Network
from unrelu.layers.maps import Reindex, compose
from unrelu.layers.surgery._new_rows import appended

if TYPE_CHECKING:
    from unrelu.layers._graph import Step, Value
    from unrelu.layers._relu_layer import ReLULayer
    from unrelu.layers.surgery._new_rows import NewRows


def append_to_network(network: Network, layer: ReLULayer, new: NewRows) -> Network:
    """Return the network with rows appended to a layer; whatever reads the layer does not read them.

    Args:
        network: The network.
        layer: One of its layers.
        new: The rows.
    """
    completed = appended(layer, new)
    shape = completed.out_shape if len(layer.out_shape) == len(completed.out_shape) else (completed.m,)
    first = Reindex(torch.arange(layer.m, device=layer.bias.device), shape, layer.out_shape)

    def widened(value: Value) -> Value:
        terms = tuple(
            (source, compose(linear, first) if source == layer.node else linear)
            for source, linear in value.terms
        )
        return replace(value, terms=terms, made=None)

    def changed(step: Step) -> Step:
        if step.name != layer.node:
            return replace(step, inputs=tuple(map(widened, step.inputs)))
        ((source, _),) = step.inputs[0].terms
        inputs = replace(
            step.inputs[0],
            terms=((source, completed.linear),),
            offset=completed.bias,
            shape=(1, *shape),
            rounded=completed.rounded,
            made=None,
        )
        return replace(step, inputs=(inputs,), shape=(1, *shape))

    build = GraphBuilder(skipped=list(network.skipped))
    source = build.input((1, *network.input_shape), network.input_name)
    build.steps = [changed(step) for step in network.steps]
    return Network(build, source, widened(network.output), network.origin)
