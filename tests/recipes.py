"""Singular layers by name, each with points where something special happens.

Small enough for exact rational arithmetic. ``RECIPES[name]()`` makes a fresh one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from unrelu.layers import Convolution, Dense, Diagonal, ReLULayer, Transpose, compose


@dataclass(frozen=True)
class Recipe:
    """A layer and inputs for it.

    Attributes:
        layer: The layer.
        points: Inputs, shape ``(k, n)``.
    """

    layer: ReLULayer
    points: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """The matrix, dense."""
        return self.layer.dense().numpy()

    @property
    def bias(self) -> np.ndarray:
        """The bias."""
        return self.layer.bias.numpy()


RECIPES: dict[str, Callable[[], Recipe]] = {}


def recipe(build: Callable[[], Recipe]) -> Callable[[], Recipe]:
    """Register a recipe under its function's name."""
    if build.__name__ in RECIPES:
        raise ValueError(f"recipe {build.__name__!r} exists already")
    RECIPES[build.__name__] = build
    return build


def _made(weight: np.ndarray, bias: np.ndarray | float = 0.0, *extra: np.ndarray, count: int = 12) -> Recipe:
    """Make a recipe of a matrix, with random points, the origin, and any others."""
    weight = np.asarray(weight, dtype=np.float64)
    bias = np.broadcast_to(np.asarray(bias, dtype=np.float64), len(weight)).copy()
    points = np.random.default_rng(7).standard_normal((count, weight.shape[1]))
    return Recipe(ReLULayer(weight, bias), np.vstack([points, np.zeros(weight.shape[1]), *extra]))


def _gaussian(m: int, n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((m, n))


@recipe
def generic() -> Recipe:
    """Nothing special: every four rows are independent."""
    return _made(_gaussian(14, 4), 0.3)


@recipe
def zero_row() -> Recipe:
    """Rows of zeros with biases of every sign."""
    weight = _gaussian(12, 3)
    weight[[1, 4, 7]] = 0.0
    bias = np.full(12, 0.2)
    bias[[1, 4, 7]] = (1.0, 0.0, -1.0)
    return _made(weight, bias)


@recipe
def repeated_row() -> Recipe:
    """As many active rows as one likes, few different ones."""
    return _made(np.repeat(_gaussian(4, 4), 4, axis=0), 0.5)


@recipe
def scaled_row() -> Recipe:
    """Positive multiples of one another, with and without rounding."""
    weight = np.repeat(_gaussian(5, 4), 3, axis=0)
    return _made(weight * np.tile([1.0, 4.0, 3.0], 5)[:, None], 0.5)


@recipe
def antiparallel_pair() -> Recipe:
    """``[B; -B]``: exactly one row of each pair is active off the hyperplanes, and both span at 0."""
    basis = _gaussian(4, 4)
    return _made(np.vstack([basis, -basis]))


@recipe
def antiparallel_covering() -> Recipe:
    """``[B; -2 B]`` with a bias that keeps at least one row of each pair active."""
    basis = _gaussian(4, 4)
    return _made(np.vstack([basis, -2 * basis]), 0.25)


@recipe
def rank_deficient() -> Recipe:
    """Integers of rank 3 in dimension 5: exactly dependent."""
    rng = np.random.default_rng(3)
    return _made(rng.integers(-2, 3, (16, 3)) @ rng.integers(-2, 3, (3, 5)), 0.5)


@recipe
def rank_deficient_rounded() -> Recipe:
    """A product of rank 3, rounded: of full rank in exact arithmetic, of rank 3 to anyone else."""
    return _made(_gaussian(16, 3) @ _gaussian(3, 5, 2), 0.5)


@recipe
def empty_active_set() -> Recipe:
    """No row is ever active."""
    return _made(_gaussian(8, 3) * 1e-3, -1.0)


@recipe
def all_active() -> Recipe:
    """Every row is active."""
    return _made(_gaussian(8, 3), 100.0)


@recipe
def huge_rows() -> Recipe:
    """Rows whose squares are near the end of the range, or beyond it."""
    weight = _gaussian(12, 3) * np.repeat([1e150, 1e200, 1.0, 1e300], 3)[:, None]
    return _made(weight, 0.1)


@recipe
def tiny_rows() -> Recipe:
    """Rows whose squares are near the end of the range, or beyond it."""
    weight = _gaussian(12, 3) * np.repeat([1e-150, 1e-200, 1.0, 1e-300], 3)[:, None]
    return _made(weight, np.repeat([0.0, 1e-200, 0.1, 0.0], 3))


@recipe
def tiny_layer() -> Recipe:
    """All rows so small that products of two vanish."""
    return _made(_gaussian(10, 3) * 1e-170, 0.0, np.full(3, 1e-170), np.full(3, 1e160))


@recipe
def subnormal_rows() -> Recipe:
    """Entries of a few units of the smallest number there is."""
    rng = np.random.default_rng(4)
    return _made(rng.integers(-3, 4, (12, 3)) * 5e-324, rng.integers(-2, 3, 12) * 5e-324, np.full(3, 0.5))


@recipe
def subnormal_column() -> Recipe:
    """A column that is the first one times 2^-530: its squares are subnormal, and round up."""
    column = np.arange(1.0, 9.0)[:, None]
    return _made(np.hstack([column / 4, column * 2.0**-530]), 0.5)


@recipe
def uneven_columns() -> Recipe:
    """Columns from 1e-8 to 1e8."""
    return _made(_gaussian(14, 3) * [1e-8, 1.0, 1e8], 0.5, np.array([1e8, 1.0, 1e-8]))


@recipe
def overflowing() -> Recipe:
    """Products beyond the range of floats cancel."""
    weight = np.array([[1e300, -1e300, 1.0], [1e300, 1e300, -1.0], [1.0, 1.0, 1.0], [-1e300, 1e300, 0.0]])
    return _made(
        weight, 0.0, np.full(3, 1e300), np.array([1e300, 1e300, -1.0]), np.array([1e200, 0.0, 1e300])
    )


@recipe
def cancelling() -> Recipe:
    """Sums of which rounding leaves nothing right."""
    weight = np.array([[1e16, 1.0, -1e16], [-1e16, -1.0, 1e16], [1e16, 0.0, -1e16], [1.0, 1e-30, 1.0]])
    points = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [3.0, 1e-20, 3.0], [1.0, 1.0, -1.0]])
    return _made(weight, 0.0, points)


@recipe
def integers() -> Recipe:
    """Weights, biases and points in {-2, ..., 2}: exact zeros and dependent rows everywhere."""
    rng = np.random.default_rng(5)
    return _made(rng.integers(-2, 3, (12, 3)), rng.integers(-2, 3, 12), rng.integers(-2, 3, (30, 3)))


@recipe
def on_hyperplanes() -> Recipe:
    """Points where as many rows as the dimension are exactly 0."""
    rng = np.random.default_rng(6)
    weight = rng.integers(-3, 4, (10, 3)).astype(float)
    point = np.array([0.5, -0.25, 2.0])
    bias = -(weight @ point)
    bias[6:] += 1.0
    return _made(weight, bias, point)


@recipe
def zero_columns() -> Recipe:
    """Dead pixels."""
    weight = _gaussian(12, 5)
    weight[:, [0, 3]] = 0.0
    return _made(weight, 0.5)


@recipe
def one_ulp_apart() -> Recipe:
    """Pairs of rows that differ in the last digit of one entry."""
    weight = np.repeat(_gaussian(4, 3), 2, axis=0)
    weight[::2, 1] = np.nextafter(weight[::2, 1], np.inf)
    return _made(weight[:4], 5.0)


@recipe
def nearly_dependent() -> Recipe:
    """Smallest singular value 1e-12 of the largest."""
    left, _, right = np.linalg.svd(_gaussian(10, 4), full_matrices=False)
    return _made(left * [1.0, 1.0, 1.0, 1e-12] @ right, 2.0)


@recipe
def one_dimensional() -> Recipe:
    """``n = 1``, injective in spite of its biases."""
    return _made(np.array([[1.0], [-1.0], [0.0]]), np.array([-1.0, 1.0, 1.0]), np.ones((1, 1)))


@recipe
def no_rows() -> Recipe:
    """``m = 0``."""
    return _made(np.zeros((0, 3)))


@recipe
def fewer_rows() -> Recipe:
    """``m < n``."""
    return _made(_gaussian(3, 5), 0.5)


@recipe
def square() -> Recipe:
    """``m = n``, everything active."""
    return _made(_gaussian(4, 4), 50.0)


@recipe
def square_dependent() -> Recipe:
    """``m = n``, two rows equal."""
    return _made(_gaussian(4, 4)[[0, 1, 2, 2]], 50.0)


@recipe
def zero_matrix() -> Recipe:
    """Nothing but zeros."""
    return _made(np.zeros((5, 3)), np.array([1.0, 0.0, -1.0, 2.0, 0.0]))


@recipe
def repeated_kernels() -> Recipe:
    """A convolution half of whose output channels say the same."""
    kernel = np.random.default_rng(8).integers(-2, 3, (6, 2, 2, 2)).astype(float)
    kernel[3:] = kernel[:3]
    linear = Convolution(torch.from_numpy(kernel), (2, 3, 3), padding=((1, 0), (0, 1)))
    points = np.random.default_rng(9).integers(-2, 3, (6, linear.n)).astype(float)
    return Recipe(ReLULayer(linear, np.full(linear.m, 0.5)), points)


@recipe
def strided() -> Recipe:
    """A convolution that never reads some inputs."""
    kernel = _gaussian(8, 2).reshape(8, 2, 1)
    linear = Convolution(torch.from_numpy(kernel), (2, 5), stride=(2,))
    return Recipe(ReLULayer(linear, np.full(linear.m, 0.5)), _gaussian(6, linear.n))


@recipe
def product() -> Recipe:
    """A product of integer maps through a bottleneck, without rounding."""
    rng = np.random.default_rng(10)
    outer = Dense(torch.from_numpy(rng.integers(-3, 4, (10, 3)).astype(float)))
    inner = Dense(torch.from_numpy(rng.integers(-3, 4, (3, 5)).astype(float)))
    return Recipe(
        ReLULayer(compose(outer, inner), np.full(10, 0.5)), rng.integers(-2, 3, (10, 5)).astype(float)
    )


@recipe
def transposed_product() -> Recipe:
    """Scaled inputs of a transposed map, integers throughout."""
    rng = np.random.default_rng(11)
    base = Transpose(Dense(torch.from_numpy(rng.integers(-3, 4, (3, 9)).astype(float))))
    scale = Diagonal(torch.tensor([1.0, 2.0, -4.0], dtype=torch.float64), (3,))
    return Recipe(ReLULayer(compose(base, scale), np.zeros(9)), rng.integers(-2, 3, (10, 3)).astype(float))
