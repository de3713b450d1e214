"""How invertible a layer is on data, and what its output gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from unrelu.bias import estimate_bias
from unrelu.inverse import invert
from unrelu.layers import ReLULayer

from .._data import Split
from ._training import Measure, Recipe


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What `unrelu.invert` gives back of test points.

    Attributes:
        x: Reconstructions, shape ``(points, n)``.
        error: Euclidean distances to the inputs, shape ``(points,)``.
        unique: Whether each input is proved to be the only one with its output, shape ``(points,)``.
    """

    x: torch.Tensor
    error: np.ndarray
    unique: np.ndarray


def both_measures(split: Split, recipe: Recipe) -> Measure:
    """Return a function that takes the two measures of Section 4.1 on a network's first layer, as shares."""

    def measure(model: nn.Sequential) -> dict[str, float]:
        layer = ReLULayer.from_module(model.fc1)
        return {"points": points_share(layer, split.x_test), "biases": bias_share(layer, split, recipe)}

    return measure


def points_share(layer: ReLULayer, x: torch.Tensor) -> float:
    """Share of points with at least ``n`` strictly active rows: singletons in general position."""
    return float((active_rows(layer, x) >= layer.n).mean())


def active_rows(layer: ReLULayer, x: torch.Tensor) -> np.ndarray:
    """Return the number of strictly active rows at every point."""
    counts = [(layer.preactivation(part) > 0).sum(dim=1) for part in x.split(1000)]
    return torch.cat(counts).numpy()


def bias_share(layer: ReLULayer, split: Split, recipe: Recipe) -> float:
    """Share of biases with ``alpha_i <= alpha*_i``, by MCBE on the training data with noise."""
    estimate = estimate_bias(
        layer,
        split.x,
        noise_std=recipe.noise_std,
        n_samples=recipe.n_samples,
        seed=recipe.seed,
        assume_general_position=True,  # the paper counts rows
    )
    return float((-layer.bias <= torch.as_tensor(estimate.alpha)).double().mean())


def reconstruct(layer: ReLULayer, x: torch.Tensor) -> Reconstruction:
    """Reconstruct inputs from their outputs (eq. 9), in float64."""
    layer = layer.to(dtype=torch.float64)
    found = invert(layer, layer.apply(x.double()))
    error = torch.linalg.vector_norm(found.x - x.double(), dim=1)
    return Reconstruction(found.x, error.numpy(), found.unique.numpy())


def singular_values(layer: ReLULayer, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest singular value of the active rows at every point (Section 4.4).

    The smallest is 0 where fewer than ``n`` rows are active.
    """
    W = layer.dense().double()
    active = layer.preactivation(x) > 0
    smallest, largest = np.zeros(len(x)), np.zeros(len(x))
    for k, rows in enumerate(active):
        if not bool(rows.any()):
            continue
        W_I = W[rows]
        sigma = torch.linalg.svdvals(W_I)
        largest[k] = float(sigma[0])
        smallest[k] = float(sigma[-1]) if len(W_I) >= layer.n else 0.0
    return smallest, largest
