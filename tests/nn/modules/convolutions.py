"""Injective convolutions of many geometries, trained a little."""

import torch
from torch import nn

from unrelu.nn import InjectiveConv1d, InjectiveConv2d, InjectiveConv3d

KINDS = {1: InjectiveConv1d, 2: InjectiveConv2d, 3: InjectiveConv3d}

# Kernel, stride, padding, dilation, groups, mode, size of an image, width of the window.
GEOMETRIES = {
    "same": (3, 1, 1, 1, 1, "zeros", 7, 1),
    "circular": (3, 1, 1, 1, 1, "circular", 7, 1),
    "word": (4, 1, "same", 1, 1, "zeros", 6, 1),
    "without padding": (3, 1, 0, 1, 1, "zeros", 6, 3),
    "little padding": (5, 1, 1, 1, 1, "zeros", 6, 3),
    "much padding": (3, 1, 4, 1, 1, "zeros", 5, 1),
    "patches": (2, 2, 0, 1, 1, "zeros", 6, 2),
    "stride": (3, 2, 1, 1, 1, "zeros", 8, 2),
    "odd size": (3, 2, 1, 1, 1, "zeros", 7, 2),
    "circular stride": (4, 2, 1, 1, 1, "circular", 8, 2),
    "groups": (3, 1, 1, 1, 2, "zeros", 5, 1),
    "dilation": (3, 1, 2, 2, 2, "zeros", 6, 1),
    "all": (5, 2, 8, 3, 2, "zeros", 9, 2),
}


def made(dims: int, name: str, free: int = 2, dtype=torch.float64, **options):
    """A layer of 4 channels, in or out of groups, with a bias, and the size of its images."""
    taps, stride, padding, dilation, groups, mode, size, width = GEOMETRIES[name]
    channels = 2 * groups
    out = 2 * channels * width**dims + free * groups
    torch.manual_seed(0)
    layer = KINDS[dims](
        channels, out, taps, stride, padding, dilation, groups, padding_mode=mode, dtype=dtype, **options
    )
    if layer.pair_bias is not None:
        nn.init.normal_(layer.pair_bias, std=0.3)
        nn.init.normal_(layer.free_bias, std=0.3)
    return layer, (channels, *(size,) * dims)


def trained(layer: nn.Module, shape: tuple[int, ...], steps: int = 10) -> nn.Module:
    """The layer after some large steps towards random numbers."""
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    dtype = layer.free.dtype
    x = torch.randn(16, *shape, dtype=dtype)
    target = torch.randn_like(layer(x))
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.relu(layer(x)) - target).square().sum(dim=1).mean().backward()
        optimizer.step()
    return layer


def error(layer: nn.Module, x: torch.Tensor) -> float:
    """The largest relative error of an image that is given back."""
    with torch.no_grad():
        y = torch.relu(layer(x))
        back = layer.inverse(y, x.shape[2:])
    return float(((back - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).max())
