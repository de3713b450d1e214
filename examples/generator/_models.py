"""The generators, 16 numbers to 784 pixels, with the fewest rows that an injective one can have."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

import unrelu
from unrelu.nn import InjectiveLinear, InjectiveSequential

CODE, PIXELS = 16, 784
WIDTHS = (CODE, 32, 64, 128, 256)
KINDS = {"injective": InjectiveLinear, "ordinary": nn.Linear}


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A generator and the network that was trained with it to propose codes, in float64.

    Attributes:
        kind: ``injective`` or ``ordinary``.
        generator: From codes to images with pixels in [0, 1], about.
        encoder: From images to the means and the logarithms of the variances of codes.
        seconds: Its training took.
    """

    kind: str
    generator: nn.Sequential
    encoder: nn.Sequential
    seconds: float = 0.0

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Return the means of the codes of images."""
        return self.encoder(images)[:, :CODE]


def generator(kind: str) -> nn.Sequential:
    """Return an untrained generator: layers with twice as many rows as columns, then an affine map."""
    parts: list[nn.Module] = []
    for n, m in pairwise(WIDTHS):
        parts += [KINDS[kind](n, m), nn.ReLU()]
    whole = InjectiveSequential if kind == "injective" else nn.Sequential
    return whole(*parts, nn.Linear(WIDTHS[-1], PIXELS))


def encoder() -> nn.Sequential:
    """Return an untrained encoder, the same for both kinds."""
    return nn.Sequential(
        nn.Linear(PIXELS, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 2 * CODE)
    )


@torch.no_grad()
def layerwise(model: nn.Sequential, images: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
    """Go back from images to codes, layer by layer.

    An injective generator undoes whole images by itself. Of others the output map is undone by least squares
    over the pixels that were seen; injective layers then undo themselves, ordinary ones are undone by
    `unrelu.invert`, least squares over the positive activations.

    Args:
        model: The generator.
        images: Shape ``(N, 784)``.
        seen: Which pixels are known, the same for all images; all of them if ``None``.
    """
    if seen is None and isinstance(model, InjectiveSequential):
        return model.invert(images).x
    *layers, last = model
    kept = slice(None) if seen is None else seen
    y = (images - last.bias)[:, kept]
    y = torch.linalg.lstsq(last.weight[kept], y.T, driver="gelsd").solution.T.clamp_min(0)
    for layer in reversed(layers[::2]):
        back = layer.inverse(y) if isinstance(layer, InjectiveLinear) else _inverted(layer, y)
        y = back if layer is layers[0] else back.clamp_min(0)
    return y


def _inverted(layer: nn.Linear, y: torch.Tensor) -> torch.Tensor:
    return unrelu.invert(unrelu.ReLULayer.from_module(layer), y, n_jobs=1).x.to(y.dtype)
