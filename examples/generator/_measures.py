"""What is measured of a trained generator."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import torch

import unrelu
from reproductions._frozen import frozen

from ._inversion import search
from ._models import CODE, Autoencoder, layerwise
from ._tasks import Task, psnr

PRIORS = (0.03, 0.2, 1.0)  # λ, of which the best on training digits is taken
_RANDOM = 2  # random starts beside the others
_FOUND = 1e-3  # relative error of a code that counts as found
_WORSE = 1.01  # cost above that of the best start, relative, that counts as a failure


@dataclass(frozen=True, eq=False)
class Restored:
    """What came back from damaged images.

    Attributes:
        given: The damaged images.
        images: What came back, shape ``(N, 784)``.
        figures: Mean PSNR in dB, share of starts that fail, and seconds.
    """

    given: torch.Tensor
    images: torch.Tensor
    figures: dict[str, float]


def _starts(model: Autoencoder, given: torch.Tensor, task: Task, seed: int) -> torch.Tensor:
    """Return codes to start from: what the layers give back, 0, and random ones."""
    generator = torch.Generator().manual_seed(seed)
    back = layerwise(model.generator, given, task.seen)
    chosen = torch.randn(_RANDOM, len(given), CODE, generator=generator, dtype=torch.float64)
    return torch.cat([back[None], torch.zeros_like(back)[None], chosen])


def restore(
    model: Autoencoder, task: Task, truth: torch.Tensor, prior: float, seed: int, steps: int
) -> Restored:
    """Restore damaged digits by the code that explains what is left of them and is likely.

    Args:
        model: The trained generator.
        task: What is done to the digits.
        truth: The digits, shape ``(N, 784)``, float64.
        prior: Weight ``λ`` of the length of codes.
        seed: Of noise and starts.
        steps: Of a search.
    """
    given = task.damage(truth, seed)
    start = perf_counter()
    g = frozen(model.generator)
    found = search(g, given, _starts(model, given, task, seed), task.seen, prior, steps)
    seconds = perf_counter() - start
    images = g(found.best)
    failed = found.costs > _WORSE * found.costs.min(dim=0).values
    figures = {
        "PSNR": float(psnr(images, truth).mean()),
        "PSNR from the first start": float(psnr(g(found.codes[0]), truth).mean()),
        "failed, layers' start": float(failed[0].double().mean()),
        "failed, random starts": float(failed[2:].double().mean()),
        "seconds": seconds,
    }
    if not bool(task.seen.all()):
        hidden = ~task.seen
        figures["PSNR of the missing pixels"] = float(psnr(images[:, hidden], truth[:, hidden]).mean())
    return Restored(given, images, figures)


def chosen_prior(model: Autoencoder, task: Task, images: torch.Tensor, seed: int, steps: int) -> float:
    """Return the prior's weight that restores training digits best."""
    return max(PRIORS, key=lambda prior: restore(model, task, images, prior, seed, steps).figures["PSNR"])


def round_trip(model: Autoencoder, count: int, seed: int, steps: int) -> dict[str, float]:
    """Return how well codes are found again from whole images: layer by layer, and from random starts."""
    generator = torch.Generator().manual_seed(seed)
    g = frozen(model.generator)
    codes, other = torch.randn(2, count, CODE, generator=generator, dtype=torch.float64)
    images = g(codes)
    start = perf_counter()
    back = layerwise(model.generator, images)
    seconds = perf_counter() - start
    found = search(g, images, other[None], steps=steps)
    size = codes.norm(dim=1)
    error = (back - codes).norm(dim=1) / size
    searched = (found.codes[0] - codes).norm(dim=1) / size
    return {
        "layer by layer: median error": float(error.median()),
        "layer by layer: largest error": float(error.max()),
        "layer by layer: codes lost": float((error > _FOUND).double().mean()),
        "layer by layer: seconds": seconds,
        "random start: codes lost": float((searched > _FOUND).double().mean()),
    }


def verdict(model: Autoencoder) -> unrelu.NetworkDecision:
    """Decide whether different codes always give different images."""
    net = unrelu.trace(model.generator, torch.zeros(1, CODE, dtype=torch.float64))
    return unrelu.decide(net, time_limit=20.0)
