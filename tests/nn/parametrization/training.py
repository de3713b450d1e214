"""What is done with layers that are to stay injective."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

import unrelu
from unrelu import Verdict


def is_proved(layer: unrelu.ReLULayer) -> bool:
    """Say whether a layer is decided to be injective, with a certificate that verifies."""
    decision = unrelu.decide(layer)
    return decision.verdict == Verdict.INJECTIVE and unrelu.verify(decision.certificate, layer).valid


def trained(net: nn.Sequential, steps: int = 20) -> nn.Sequential:
    """Train a layer with a ReLU and a linear layer behind it on random labels."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    n, labels, dtype = net[0].in_features, net[2].out_features, net[2].weight.dtype
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.randn(32, n, dtype=dtype)
        nn.functional.cross_entropy(net(x), torch.randint(labels, (32,))).backward()
        optimizer.step()
    return net


def bake(layer: nn.Module) -> nn.Module:
    """Leave weight and bias as they are now."""
    for name in ("weight", "bias"):
        parametrize.remove_parametrizations(layer, name)
    return layer


def read_again(net: nn.Sequential, path: Path) -> unrelu.ReLULayer:
    """Write a network as ONNX, and return its first layer as it is read."""
    example = (torch.randn(1, net[0].in_features, dtype=net[2].weight.dtype),)
    torch.onnx.export(net, example, path, dynamo=True, external_data=False, verbose=False)
    return unrelu.trace(path)[0]


def is_kept_by_onnx(net: nn.Sequential, path: Path) -> bool:
    """Say whether the first layer, written as ONNX, has the same numbers and is proved."""
    layer = read_again(net.eval(), path)
    same = np.array_equal(layer.dense(), net[0].weight.detach().double())
    return same and is_proved(layer)
