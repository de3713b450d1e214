"""Training of a generator with an encoder: a variational autoencoder (Kingma and Welling 2014)."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import torch
from torch import nn

from ._models import CODE, Autoencoder, encoder, generator

Tell = Callable[[str], None]

_BATCH, _LR = 256, 1e-3
_STD = 0.2  # of a pixel around what the generator says


def train(kind: str, images: torch.Tensor, epochs: int, seed: int, tell: Tell) -> Autoencoder:
    """Train a generator so that the codes of digits are nearly standard normal.

    The loss of an image ``x`` is ``|x - g(z)|² / 2 s² + KL(N(mean, variance) || N(0, 1))``, with a code ``z``
    drawn as the encoder says.

    Args:
        kind: ``injective`` or ``ordinary``.
        images: Pixels in [0, 1], shape ``(N, 784)``.
        epochs: Passes over them.
        seed: Of the initial weights, the order of the images and the codes; torch's own is left alone.
        tell: Told which epoch has begun.
    """
    start = perf_counter()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        proposes = encoder()
        makes = generator(kind)
        model = nn.ModuleList([makes, proposes])
        optimizer = torch.optim.Adam(model.parameters(), lr=_LR)
        steps = epochs * -(-len(images) // _BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for epoch in range(epochs):
            tell(f"{kind} generator, seed {seed}: epoch {epoch + 1} of {epochs}")
            for batch in torch.randperm(len(images)).split(_BATCH):
                optimizer.zero_grad()
                _loss(makes, proposes, images[batch]).backward()
                optimizer.step()
                schedule.step()
    seconds = perf_counter() - start
    model.eval().requires_grad_(False).double()
    return Autoencoder(kind, makes, proposes, seconds)


def _loss(makes: nn.Sequential, proposes: nn.Sequential, images: torch.Tensor) -> torch.Tensor:
    mean, log_variance = proposes(images).split(CODE, dim=1)
    codes = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    far = (makes(codes) - images).square().sum(dim=1) / (2 * _STD**2)
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
    return (far + divergence).mean()
