"""Signs of pre-activations against exact sums."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.recipes import RECIPES
from tests.reference import frames as reference
from unrelu.frames import activity, frame_of
from unrelu.layers import Convolution, Dense, Diagonal, Reindex, ReLULayer, Sum, Transpose, compose

ANY = st.floats(allow_nan=False, allow_infinity=False)
NEAR = st.sampled_from(
    [0.0, 1.0, -1.0, 1e16, -1e16, 1e-16, 3.0, 0.1, -0.1, 5e-324, 1e-300, -1e300, 2.0**-1022]
)


def expected(layer: ReLULayer, x: np.ndarray) -> np.ndarray:
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    return np.array([reference.signs(weight, bias, point) for point in x]).reshape(len(x), layer.m)


def check(layer: ReLULayer, x: np.ndarray) -> None:
    state = activity(layer, torch.from_numpy(x))
    assert np.array_equal(state.signs, expected(layer, x))
    assert np.array_equal(state.active, state.signs > 0)
    assert state.signs.dtype == np.int8
    assert np.array_equal(activity(layer, torch.from_numpy(x), frame_of(layer)).signs, state.signs)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    case = RECIPES[name]()
    check(case.layer, case.points)


@pytest.mark.parametrize("elements", [ANY, NEAR, st.integers(-2, 2).map(float)])
@given(st.data())
def test_any_numbers(elements, data):
    m, n = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    weight = data.draw(arrays(float, (m, n), elements=elements))
    bias = data.draw(arrays(float, m, elements=elements))
    check(ReLULayer(weight, bias), data.draw(arrays(float, (3, n), elements=elements)))


def test_thousands_of_cancelling_sums(rng):
    weight = rng.standard_normal((30, 8)) * 10.0 ** rng.integers(-8, 8, (30, 8))
    x = np.round(rng.standard_normal((40, 8)) * 16) / 16
    # The bias cancels the product as computed, in one point a row, up to a digit either way.
    layer = ReLULayer(weight)
    bias = -layer.preactivation(x)[rng.integers(0, 40, 30), np.arange(30)]
    for toward in (-np.inf, 0.0, np.inf):
        check(ReLULayer(weight, np.nextafter(bias, toward)), x)


def test_error_bounds_the_error(rng):
    weight = rng.standard_normal((30, 50)) * 10.0 ** rng.integers(-12, 12, (30, 50))
    layer, x = ReLULayer(weight, rng.standard_normal(30)), rng.standard_normal((20, 50))
    state = activity(layer, torch.from_numpy(x))
    exact = (weight.astype(np.longdouble) @ x.T.astype(np.longdouble)).T + layer.bias.numpy()
    assert np.all(np.abs(state.z - exact) <= state.error)
    assert np.all(state.error <= 1e-13 * (np.abs(x) @ np.abs(weight.T) + np.abs(layer.bias.numpy())))


@pytest.mark.parametrize("shape", [(2, 7), (2, 5, 4), (1, 3, 3, 4)])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions(rng, shape, groups):
    dims = len(shape) - 1
    if shape[0] % groups:
        shape = (shape[0] * groups, *shape[1:])
    kernel = rng.integers(-2, 3, (4, shape[0] // groups, *(2,) * dims)).astype(float)
    linear = Convolution(
        torch.from_numpy(kernel),
        shape,
        stride=(2,) + (1,) * (dims - 1),
        padding=((1, 2),) * dims,
        dilation=(1,) * (dims - 1) + (2,),
        groups=groups,
    )
    layer = ReLULayer(linear, rng.integers(-1, 2, linear.m).astype(float))
    check(layer, rng.integers(-2, 3, (4, linear.n)).astype(float))


def integer_map(rng: np.random.Generator, m: int, n: int) -> Dense:
    return Dense(torch.from_numpy(rng.integers(-3, 4, (m, n)).astype(float)))


def test_maps_made_of_maps(rng):
    move = Reindex(torch.tensor([2, -1, 0, 0, 1]), (3,), (5,))
    scale = Diagonal(torch.tensor([1.0, -2.0, 0.0, 4.0, 0.5], dtype=torch.float64), (5,))
    for linear in (
        compose(integer_map(rng, 6, 5), scale),
        compose(scale, compose(move, integer_map(rng, 3, 4))),
        compose(integer_map(rng, 7, 5), move),
        Transpose(integer_map(rng, 3, 8)),
        Sum([integer_map(rng, 5, 4), integer_map(rng, 5, 4), integer_map(rng, 5, 4)]),
        compose(Transpose(move), scale),
    ):
        check(
            ReLULayer(linear, rng.integers(-1, 2, linear.m).astype(float)),
            rng.integers(-2, 3, (9, linear.n)) * 1.0,
        )


def test_losses_of_one_map_grow_in_the_next():
    inner = Dense(torch.tensor([[2.0**-1000, 2.0**-1000]], dtype=torch.float64))
    outer = Dense(torch.tensor([[2.0**1000], [-(2.0**1000)]], dtype=torch.float64))
    x = np.array([[2.0**-74, 2.0**-75], [2.0**-75, 2.0**-75], [2.0**-76, 0.0], [0.0, 0.0]])
    layer = ReLULayer(compose(outer, inner))
    assert activity(layer, torch.from_numpy(x)).signs.tolist() == [[1, -1], [1, -1], [1, -1], [0, 0]]


def test_smaller_dtypes_are_exact_copies(rng):
    weight = rng.standard_normal((9, 4)).astype(np.float32)
    layer = ReLULayer(weight.astype(float), -(weight.astype(float) @ np.full(4, 0.1))).to(dtype=torch.float32)
    x = rng.standard_normal((5, 4))
    x[0] = 0.1
    state = activity(layer, torch.from_numpy(x))
    bias = layer.bias.double().numpy()
    assert state.z.dtype == float
    assert np.array_equal(state.signs, [reference.signs(weight.astype(float), bias, p) for p in x])


def test_empty_batch():
    state = activity(ReLULayer(np.eye(3)), torch.zeros(0, 3, dtype=torch.float64))
    assert state.z.shape == state.error.shape == state.signs.shape == (0, 3)


def test_exact_sums_come_in_parts(monkeypatch, rng):
    from unrelu.frames import _signs

    monkeypatch.setattr(_signs, "_PRODUCTS", 10)
    weight = rng.integers(-2, 3, (12, 4)).astype(float)
    check(ReLULayer(weight), rng.integers(-2, 3, (25, 4)) * 0.1)


def test_plain_zeros_need_no_exact_arithmetic(monkeypatch):
    from unrelu.frames import _signs

    monkeypatch.setattr(_signs, "_exact_signs", None)
    state = activity(ReLULayer(np.eye(3)), torch.tensor([[0.0, 1.0, -1.0]], dtype=torch.float64))
    assert state.signs.tolist() == [[0, 1, -1]]
