"""What can be linearised, as a network."""

from __future__ import annotations

import torch
from torch import nn

from unrelu.arrays import Array, to_tensor
from unrelu.errors import ArgumentError
from unrelu.layers import Network, ReLULayer, trace


def as_network(network: Network | ReLULayer | nn.Module, x: Array | None = None) -> Network:
    """Return what is linearised as a network; a torch module is traced at the first sample.

    Raises:
        ArgumentError: If it is none of the three, or a module comes without a batch of samples.
    """
    if isinstance(network, Network):
        return network
    if isinstance(network, ReLULayer):
        return Network.of_layer(network)
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise ArgumentError(f"network: expected a Network, a ReLULayer or an nn.Module, got {kind}")
    tensor = to_tensor(x, "x", dtype=torch.float32, device="cpu")
    if tensor.dim() < 2 or not len(tensor):
        raise ArgumentError(f"x: expected a batch of inputs of the module, got shape {tuple(tensor.shape)}")
    return trace(network, tensor[:1])
