"""From what a caller gives to what is sampled: checks, each naming the argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu._checks import whole_number
from unrelu.arrays import Array, flatten_samples
from unrelu.bias._samples import Drawn, InOrder, Samples
from unrelu.datasets import Dataset
from unrelu.domains import Domain, Smoothed
from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from unrelu.layers import ReLULayer
    from unrelu.layers.maps import LinearMap

_DRAWS = 10_000  # with noise and no number given, at least


@dataclass(frozen=True)
class Plan:
    """What is sampled and when it ends.

    Attributes:
        linear: The matrix, in the dtype of the products.
        samples: Where the inputs come from.
        limit: Largest number of samples, ``None`` for no limit.
        patience: Samples without change after which to stop, ``None`` for a fixed number.
        noise_std: Standard deviation of the noise.
        seed: Of the random samples.
        given: Data in whose kind of array to answer, ``None`` for numpy.
    """

    linear: LinearMap
    samples: Samples
    limit: int | None
    patience: int | None
    noise_std: float
    seed: int
    given: Array = None


def plan(
    layer: ReLULayer, data: Any, noise_std: float, n_samples: int | None, patience: int | None, seed: int
) -> Plan:
    """Check the arguments of `estimate_bias` that say what is sampled.

    Raises:
        ArgumentError: As there.
    """
    if layer.m < layer.n:
        raise ArgumentError(f"layer: expected m >= n, for n rows to span R^n, got m={layer.m} < n={layer.n}")
    limit = None if n_samples is None else whole_number("n_samples", n_samples)
    patience = None if patience is None else whole_number("patience", patience)
    seed = whole_number("seed", seed, least=0)
    linear = layer.linear
    if linear.dtype not in {torch.float32, torch.float64}:
        linear = linear.to(dtype=torch.float32)
    if isinstance(data, Domain | Smoothed) and noise_std != 0:
        kind = type(data).__name__
        raise ArgumentError(f"noise_std: expected 0, for {kind} says how to sample, got {noise_std!r}")
    make = _of_domain if isinstance(data, Domain) else _of_data
    return make(linear, data, noise_std, limit, patience, seed)


def _of_domain(
    linear: LinearMap, domain: Domain, noise_std: float, limit: int | None, patience: int | None, seed: int
) -> Plan:
    """Sample a domain uniformly."""
    if limit is None and patience is None:
        raise ArgumentError("n_samples: a domain needs n_samples or patience, got neither")
    _refuse_long(patience, limit)
    if domain.dimension not in {None, linear.n}:
        raise ArgumentError(f"data: expected a domain of dimension {linear.n}, got {domain.dimension}")

    def draw(count: int, generator: torch.Generator) -> torch.Tensor:
        return domain.sample(count, linear.n, generator, dtype=linear.dtype, device=linear.device)

    try:
        draw(1, torch.Generator(linear.device))
    except ArgumentError as error:
        raise ArgumentError(f"data: expected a domain that can be sampled; {error}") from error
    return Plan(linear, Drawn(draw, linear.n, seed, linear.device), limit, patience, float(noise_std), seed)


def _of_data(
    linear: LinearMap, data: Any, noise_std: float, limit: int | None, patience: int | None, seed: int
) -> Plan:
    """Take the data themselves, or draw from them and add noise (Eckert et al. 2024, Definition 3.2)."""
    given = data.inputs if isinstance(data, Dataset) else data
    if noise_std == 0 and limit is None and patience is None and not isinstance(given, Smoothed):
        points = _points(given, linear)
        samples = InOrder(points, linear.dtype, linear.device)
        return Plan(linear, samples, len(points), None, 0.0, seed, points)
    smoothed = given if isinstance(given, Smoothed) else Smoothed(given, noise_std)
    points, _, _ = flatten_samples(smoothed.data, linear.in_shape, "data")
    if points.ndim != smoothed.data.ndim:
        smoothed = Smoothed(points, smoothed.noise_std)
    exhaustible = smoothed.noise_std == 0 and not isinstance(given, Smoothed)
    _refuse_long(patience, len(points) if exhaustible and limit is None else limit)
    if limit is None and patience is None:
        limit = max(len(points), _DRAWS)

    def draw(count: int, generator: torch.Generator) -> torch.Tensor:
        return smoothed.sample(count, generator, dtype=linear.dtype, device=linear.device)

    drawn = Drawn(draw, linear.n, seed, linear.device)
    return Plan(linear, drawn, limit, patience, smoothed.noise_std, seed, points)


def _points(data: Any, linear: LinearMap) -> Array:
    """Return data as ``(N, n)`` numbers, which are seen to be finite when they are used."""
    known = isinstance(data, np.ndarray | torch.Tensor) and data.ndim > 1
    checked = Smoothed(data[:1] if known else data).data
    points, _, _ = flatten_samples(data if known else checked, linear.in_shape, "data")
    return points


def _refuse_long(patience: int | None, available: int | None) -> None:
    if patience is not None and available is not None and patience > available:
        raise ArgumentError(
            f"patience: expected at most {available}, the number of samples there are, got {patience}"
        )
