"""Iris and MNIST, split and normalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from unrelu.datasets import load

_IRIS_TEST = 30
_QUICK = (256, 64)  # training and test images of a quick run


@dataclass(frozen=True, eq=False)
class Split:
    """Training and test data, float32.

    Attributes:
        name: ``iris`` or ``mnist``.
        x: Training inputs, shape ``(N, n)``.
        y: Their classes.
        x_test: Test inputs, shape ``(N_test, n)``.
        y_test: Their classes.
        classes: Number of classes.
        mean: What was subtracted from every entry, a number or shape ``(n,)``.
        std: What it was then divided by.
    """

    name: str
    x: torch.Tensor
    y: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    classes: int
    mean: torch.Tensor | float = 0.0
    std: torch.Tensor | float = 1.0

    @property
    def n(self) -> int:
        """Dimension of the inputs."""
        return self.x.shape[1]

    def images(self, x: torch.Tensor) -> torch.Tensor:
        """Return inputs as digits with pixels in [0, 1], shape ``(N, 28, 28)``."""
        return (x * self.std + self.mean).reshape(-1, 28, 28)

    def spread(self, count: int) -> torch.Tensor:
        """Return numbers of at most ``count`` test points, evenly spread."""
        step = max(1, len(self.x_test) // count)
        return torch.arange(0, len(self.x_test), step)[:count]


def iris(features: int = 4, seed: int = 0, standardised: bool = True) -> Split:
    """Return 120 flowers to train on and 30 to test on, each class split alike.

    Args:
        features: The first so many of sepal length, sepal width, petal length, petal width.
        seed: Of the split.
        standardised: Whether every feature gets mean 0 and deviation 1 in training; else in centimetres.
    """
    data = load("iris")
    x = torch.as_tensor(data.inputs[:, :features], dtype=torch.float32)
    y = torch.as_tensor(data.labels)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    by_class = [order[y[order] == k] for k in range(3)]
    test = torch.cat([numbers[: _IRIS_TEST // 3] for numbers in by_class])
    train = torch.cat([numbers[_IRIS_TEST // 3 :] for numbers in by_class])
    if standardised:
        x = (x - x[train].mean(dim=0)) / x[train].std(dim=0)
    return Split("iris", x[train], y[train], x[test], y[test], 3)


@lru_cache(maxsize=4)
def mnist(quick: bool = False, *, standardised: bool = False) -> Split:
    """Return the 60,000 and 10,000 digits as rows of 784 pixels; a few hundred digits if ``quick``.

    Args:
        quick: Whether a few will do.
        standardised: Whether every pixel gets mean 0 and deviation 1 in training, pixels that are always
            black staying at 0; else pixels lie in [0, 1].
    """
    parts = []
    for split, limit in zip(("train", "test"), _QUICK, strict=True):
        data = load(f"mnist:{split}")
        data = data.take(limit) if quick else data
        parts += [torch.as_tensor(data.inputs).flatten(1), torch.as_tensor(data.labels)]
    x, y, x_test, y_test = parts
    if not standardised:
        return Split("mnist", *parts, classes=10)
    mean, std = x.mean(dim=0), x.std(dim=0)
    std[std == 0] = 1
    return Split("mnist", (x - mean) / std, y, (x_test - mean) / std, y_test, 10, mean, std)
