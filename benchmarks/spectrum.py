"""Singular values of all layers of WideCIFAR, before and after each ReLU, at test images of CIFAR-10.

One side is `unrelu.spectrum`, the other one ``torch.func.jacrev`` once a sample and layer, and then
``torch.linalg.svdvals`` of the derivative and of its active rows; both in float64, with all cores. The input
is restricted to its middle 16 x 16 pixels, as Behrmann et al. 2018 propose for large inputs; with ``--large``
50 whole images, once, beside one image of the other side. The weights are random: the work does not depend on
them.
"""

import sys
import time

import numpy as np
import torch
from torch import nn

import unrelu
from benchmarks._pair import Comparison, Side, paired, peak_memory, peak_so_far, save
from reproductions.behrmann2018._cifar import WIDE, build

WINDOW, SAMPLES = 16, 4
LARGE_SAMPLES = 50
SIZE = 32  # pixels of a side
CHUNK = 256  # rows of a derivative that the baseline makes at a time


def _problem(samples: int = SAMPLES) -> tuple[nn.Sequential, unrelu.Network, np.ndarray]:
    torch.manual_seed(0)
    model = build(WIDE).eval()
    x = unrelu.load("cifar10:test").inputs[:samples]
    return model, unrelu.trace(model, torch.from_numpy(x[:1])), x.astype(np.float64)


def once() -> None:
    """Run the fast side once, for its memory."""
    _, network, x = _problem()
    unrelu.spectrum(network, x, window=WINDOW)


def one_layer(model: nn.Sequential, sample: torch.Tensor, side: int) -> list[np.ndarray]:
    """Return the singular values of a part of the network along the window: all rows, and the active ones."""
    start = (SIZE - side) // 2
    window = (slice(None), slice(start, start + side), slice(start, start + side))

    def inside(part: torch.Tensor) -> torch.Tensor:
        image = sample.clone()
        image[window] = part.reshape(image[window].shape)
        return model(image[None]).reshape(-1)

    pixels = sample[window].reshape(-1)
    derivative = torch.func.jacrev(inside, chunk_size=CHUNK)(pixels).detach()
    active = inside(pixels) > 0
    return [torch.linalg.svdvals(rows).numpy() for rows in (derivative, derivative[active])]


def one_by_one(model: nn.Sequential, sample: torch.Tensor, side: int = WINDOW) -> list[np.ndarray]:
    """Return the singular values before and after every ReLU at one sample, and those of the output."""
    ends = [k for k, module in enumerate(model) if isinstance(module, nn.ReLU)]
    found = [values for last in ends for values in one_layer(model[:last], sample, side)]
    return [*found, one_layer(model, sample, side)[0]]


def largest_difference(result: unrelu.SpectrumResult, expected: list[np.ndarray]) -> float:
    """Return the largest difference of values at the first sample, in units of the largest of their map."""
    sides = [side for layer in result.layers for side in (layer.up_to, layer.through)]
    found = [side.values[0] for side in [*sides, result.output]]
    return max(
        float(np.abs(mine[: len(other)] - other).max() / other[0])
        for mine, other in zip(found, expected, strict=True)
    )


def run() -> list[Comparison]:
    """Compare, and check the answers."""
    model, network, x = _problem()
    twin, sample = model.double(), torch.from_numpy(x[0])
    expected: list[np.ndarray] = []
    comparison = paired(
        "spectrum: all layers of WideCIFAR, 16 x 16 pixels",
        ("unrelu.spectrum", SAMPLES, lambda: unrelu.spectrum(network, x, window=WINDOW)),
        ("jacrev and svdvals", 1, lambda: expected.__setitem__(slice(None), one_by_one(twin, sample))),
        rounds=1,  # the baseline takes a minute or more
    )
    result = unrelu.spectrum(network, x, window=WINDOW)
    comparison.facts.update(
        {
            "largest difference, of the largest value": f"{largest_difference(result, expected):.1e}",
            "input directions": result.directions,
            "peak memory, fresh process (MB)": f"{peak_memory('benchmarks.spectrum'):.0f}",
        }
    )
    return [comparison]


def run_large() -> list[Comparison]:
    """Compare on whole images: all of them on one side, one on the other."""
    model, network, x = _problem(LARGE_SAMPLES)
    start = time.perf_counter()
    result = unrelu.spectrum(network, x, progress=True)
    seconds = time.perf_counter() - start
    peak = peak_so_far()
    start = time.perf_counter()
    expected = one_by_one(model.double(), torch.from_numpy(x[0]), SIZE)
    other = time.perf_counter() - start
    mine = seconds / len(x)
    facts = {
        "wall time of all images (s)": f"{seconds:.0f}",
        "largest difference, of the largest value": f"{largest_difference(result, expected):.1e}",
        "peak memory (MB)": f"{peak:.0f}",
    }
    sides = Side("unrelu.spectrum", len(x), mine, mine), Side("jacrev and svdvals", 1, other, other)
    return [Comparison("spectrum large: WideCIFAR, whole images", *sides, other / mine, facts)]


if __name__ == "__main__":
    save(run_large() if "--large" in sys.argv else run())
