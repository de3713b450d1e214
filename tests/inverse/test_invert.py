"""Reconstruction against singular values of the active rows."""

import time

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import unrelu
from tests.recipes import RECIPES
from tests.reference import frames as exact
from tests.reference import inverse as reference
from unrelu.errors import ArgumentError
from unrelu.frames import DenseFrame, SparseFrame
from unrelu.inverse import InverseResult, _direct, _solve, invert
from unrelu.layers import ReLULayer


def relative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    size = np.abs(b).max(axis=-1, keepdims=True)
    size[size == 0] = 1.0
    norm = np.linalg.norm(b / size, axis=-1)
    return np.linalg.norm((a - b) / size, axis=-1) / np.where(norm > 0, norm, 1.0)


def check(layer: ReLULayer, x: np.ndarray, result: InverseResult) -> None:
    """Compare with pseudo-inverses, for rows neither nearly dependent nor of extreme scales."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    y = layer.apply(x)
    for k in range(len(x)):
        expected, rank, condition = reference.invert(weight, bias, y[k])
        assert result.unique[k] == (rank == layer.n)
        assert relative(result.x[k], expected) <= 1e-9
        if result.unique[k]:
            assert relative(result.x[k], x[k]) <= 1e-9
            assert result.residual[k] <= 1e-9
        assert result.condition[k] == pytest.approx(condition, rel=0.1, nan_ok=True)


@pytest.mark.parametrize("engine", [DenseFrame, SparseFrame])
@pytest.mark.parametrize(("m", "n"), [(8, 3), (40, 12), (12, 12), (5, 9), (300, 40), (150, 100)])
def test_random_layers(rng, m, n, engine):
    layer = ReLULayer(rng.standard_normal((m, n)), rng.uniform(-0.3, 0.5, m))
    x = rng.standard_normal((12, n))
    weight = layer.dense().numpy()
    frame = engine(weight if engine is DenseFrame else sp.csr_array(weight))
    check(layer, x, invert(layer, layer.apply(x), frame=frame))


SINGULAR = (
    "zero_row",
    "repeated_row",
    "scaled_row",
    "antiparallel_pair",
    "antiparallel_covering",
    "rank_deficient",
    "empty_active_set",
    "all_active",
    "integers",
    "on_hyperplanes",
    "zero_columns",
    "one_dimensional",
    "fewer_rows",
    "square",
    "square_dependent",
    "zero_matrix",
    "repeated_kernels",
    "strided",
    "transposed_product",
)


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_layers(name):
    case = RECIPES[name]()
    check(case.layer, case.points, invert(case.layer, case.layer.apply(case.points)))


ROUNDED_OUTPUTS = {"cancelling", "subnormal_rows"}  # few of their digits are left


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"no_rows", "overflowing"}))
def test_unique_is_never_claimed_wrongly(name):
    case = RECIPES[name]()
    y = case.layer.apply(case.points)
    result = invert(case.layer, y)
    for k, output in enumerate(y):
        active = case.weight[output > 0]
        assert not result.unique[k] or exact.rank(active) == case.layer.n
        if result.unique[k]:
            # What cannot be had from rounded outputs is said by the condition number.
            tolerance = 1e-9 + 1e-15 * result.condition[k]
            assert relative(result.x[k], case.points[k]) <= tolerance or name in ROUNDED_OUTPUTS
    assert np.isfinite(result.x).all()


@given(st.integers(0, 10**6))
def test_unique_exactly_where_the_active_rows_span(seed):
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(1, 10)), int(rng.integers(1, 4))
    layer = ReLULayer(rng.integers(-2, 3, (m, n)) * 1.0, rng.integers(-2, 3, m) * 1.0)
    x = rng.integers(-2, 3, (3, n)) * 1.0
    y = layer.apply(x)
    result = invert(layer, y, n_jobs=1)
    for k in range(3):
        assert result.unique[k] == (exact.rank(layer.dense().numpy()[y[k] > 0]) == n)
    check(layer, x, result)


@given(st.integers(0, 10**6))
def test_scaled_and_permuted_rows_give_the_same(seed):
    rng = np.random.default_rng(seed)
    weight, bias, x = rng.standard_normal((12, 3)), rng.standard_normal(12), rng.standard_normal((2, 3))
    order, scale = rng.permutation(12), 2.0 ** rng.integers(-8, 8, 12)
    layer = ReLULayer(weight, bias)
    other = ReLULayer((weight * scale[:, None])[order], (bias * scale)[order])
    before, after = invert(layer, layer.apply(x), n_jobs=1), invert(other, other.apply(x), n_jobs=1)
    assert np.array_equal(before.unique, after.unique)
    both = before.unique & after.unique
    assert np.all(relative(before.x[both], after.x[both]) <= 1e-9)


@pytest.mark.parametrize("exponent", range(1, 17))
def test_ill_conditioned_layers(exponent):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 12))
        left = np.linalg.qr(rng.standard_normal((2 * n, n)))[0]
        right = np.linalg.qr(rng.standard_normal((n, n)))[0]
        weight = left * np.geomspace(1, 10.0**-exponent, n) @ right
        layer = ReLULayer(weight, np.full(2 * n, 3 * np.abs(weight).sum()))
        x = rng.standard_normal((3, n))
        y = layer.apply(x)
        result = invert(layer, y)
        condition = np.linalg.cond(weight)
        # Outputs carry the rounding of the bias added to them.
        lost = 1e-15 * condition * np.linalg.norm(y, axis=1) / np.linalg.norm(x, axis=1)
        assert np.all((relative(result.x, x) <= 1e-12 + lost) | ~result.unique)
        if exponent <= 12:
            assert result.unique.all()
            assert result.condition == pytest.approx(np.full(3, condition), rel=0.1)
        assert np.all(result.residual <= 1e-12)


def test_a_rough_factor_is_not_trusted(rng):
    # Certified, but the shift is a large part of the smallest eigenvalue: refinement cannot converge.
    found = 0
    for condition in np.geomspace(1e6, 1e8, 60):
        left, _, right = np.linalg.svd(rng.standard_normal((8, 4)), full_matrices=False)
        layer = ReLULayer(left * [1, 1, 1, 1 / condition] @ right, np.full(8, 3.0))
        x = rng.standard_normal((1, 4))
        result = invert(layer, layer.apply(x))
        found += DenseFrame(layer.dense().numpy()).frame_operator(np.arange(8)) is not None
        assert relative(result.x, x) <= 1e-14 * condition
    assert 10 < found < 50


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv1d(2, 8, 3, padding=1), (2, 20)),
        (nn.Conv2d(3, 16, 3, padding=1), (3, 12, 12)),
        (nn.Conv2d(2, 24, 2, stride=2), (2, 8, 8)),
        (nn.Conv2d(4, 24, 3, padding=2, dilation=2, groups=2), (4, 7, 7)),
        (nn.Conv3d(1, 8, 2, padding=1), (1, 4, 4, 4)),
    ],
)
def test_convolutions(rng, module, shape):
    torch.manual_seed(0)
    module.reset_parameters()
    layer = ReLULayer.from_module(module, shape)
    x = rng.standard_normal((4, *shape))
    y = layer.apply(x)
    for frame in (None, SparseFrame(layer.linear.csr())):
        result = invert(layer, y, frame=frame)
        assert result.x.shape == x.shape
        check(layer, x.reshape(4, -1), invert(layer, y.reshape(4, -1), frame=frame))
        unique = result.unique
        assert np.all(np.abs(result.x - x)[unique] <= 1e-9)


def test_large_convolution_round_trip(rng):
    torch.manual_seed(0)
    layer = ReLULayer.from_module(nn.Conv2d(3, 32, 3, padding=1), (3, 32, 32))
    x = rng.uniform(0, 1, (3, 3, 32, 32))
    result = invert(layer, layer.apply(x))
    assert result.unique.all()
    assert np.abs(result.x - x).max() <= 1e-10
    assert np.all((result.condition > 1) & (result.condition < 1e4))


def test_systems_too_large_for_singular_values(rng, monkeypatch):
    monkeypatch.setattr(_solve, "_DIRECT_ENTRIES", 0)
    weight = np.repeat(rng.standard_normal((6, 9)), 2, axis=0)
    layer = ReLULayer(weight, np.full(12, 9.0))
    x = rng.standard_normal((3, 9))
    y = layer.apply(x)
    result = invert(layer, y, frame=SparseFrame(sp.csr_array(weight)))
    for k in range(3):
        assert relative(result.x[k], reference.invert(weight, layer.bias.numpy(), y[k])[0]) <= 1e-9
    assert not result.unique.any()


@pytest.mark.parametrize("rows", [[1, 1, 1], [1e150, 1, 1e-150]])
@pytest.mark.parametrize("columns", [[1e4, 1, 1e-4], [1, 1e100, 1e-100]])
def test_rows_and_columns_of_very_different_sizes(rng, rows, columns):
    x = rng.uniform(1, 2, (3, 3))
    # Columns lose no digits to one another only where a row has one entry.
    mixed = 0.1 if max(columns) < 1e5 else 0.0
    layer = ReLULayer((np.eye(3) + mixed) * np.array(rows)[:, None] * columns)
    result = invert(layer, layer.apply(x))
    assert result.unique.all()
    assert np.abs(result.x / x - 1).max() <= 1e-6
    assert np.all(result.condition > 1e7)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_extreme_outputs(rng, scale):
    weight = rng.uniform(0, 1, (6, 3)) + np.vstack([np.eye(3)] * 2)
    layer = ReLULayer(weight * scale)
    x = rng.uniform(0, 1, (2, 3))
    result = invert(layer, layer.apply(x))
    assert result.unique.all()
    assert relative(result.x, x) == pytest.approx(0, abs=1e-12)
    assert result.residual == pytest.approx(0, abs=1e-12)
    assert result.condition == pytest.approx(np.full(2, np.linalg.cond(weight)), rel=0.1)
    off = invert(layer, layer.apply(x) * [1, 1, 2, 1, 1, 1])
    assert np.all(off.residual > 0.01)


def test_outputs_off_the_range(rng):
    layer = ReLULayer(rng.standard_normal((12, 3)))
    y = rng.uniform(0.5, 1, (4, 12))
    result = invert(layer, y)
    assert np.all(result.residual > 0.1)
    assert result.unique.all()  # no other input could have given them either
    for k in range(4):
        assert np.allclose(result.x[k], reference.invert(layer.dense().numpy(), np.zeros(12), y[k])[0])
        expected = np.linalg.norm(layer.apply(result.x[k]) - y[k]) / np.linalg.norm(y[k])
        assert result.residual[k] == pytest.approx(expected)


def test_zero_output(rng):
    layer = ReLULayer(rng.standard_normal((6, 3)), np.array([-1.0, -1, -1, -1, -1, -1]))
    result = invert(layer, np.zeros((2, 6)))
    assert np.array_equal(result.x, np.zeros((2, 3)))
    assert not result.unique.any()
    assert np.array_equal(result.residual, [0.0, 0.0])
    assert np.isnan(result.condition).all()
    # The numerator alone where y = 0, and the origin is no preimage.
    off = invert(ReLULayer(np.eye(3), np.full(3, 2.0)), np.zeros(3))
    assert off.residual == pytest.approx(np.sqrt(12))


def test_formats(rng):
    layer = ReLULayer.from_module(nn.Conv2d(1, 8, 3, padding=1), (1, 4, 4))
    x = rng.standard_normal((2, 3, 1, 4, 4))
    y = layer.apply(x)
    shaped = invert(layer, y)
    assert shaped.x.shape == x.shape
    assert shaped.unique.shape == shaped.residual.shape == shaped.condition.shape == (2, 3)
    flat = invert(layer, y.reshape(2, 3, -1))
    assert flat.x.shape == (2, 3, 16)
    assert np.array_equal(flat.x.reshape(x.shape), shaped.x)
    one = invert(layer, y[0, 0])
    assert one.x.shape == (1, 4, 4)
    assert one.unique.shape == ()
    assert np.allclose(one.x, shaped.x[0, 0])
    tensors = invert(layer, torch.from_numpy(y))
    assert all(
        isinstance(getattr(tensors, f), torch.Tensor) for f in ("x", "unique", "residual", "condition")
    )
    assert np.allclose(tensors.x.numpy(), shaped.x)
    assert tensors.unique.dtype == torch.bool


def test_single_precision_outputs(rng):
    layer = ReLULayer(rng.standard_normal((40, 8)))
    x = rng.standard_normal((5, 8))
    result = invert(layer, layer.apply(x).astype(np.float32))
    assert result.x.dtype == np.float64
    assert result.unique.all()
    assert np.all(relative(result.x, x) <= 1e-5)
    assert np.all(result.residual <= 1e-6)


def test_single_precision_layer(rng):
    layer = ReLULayer(rng.standard_normal((40, 8)).astype(np.float32)).to(dtype=torch.float32)
    x = rng.standard_normal((5, 8))
    result = invert(layer, layer.to(dtype=torch.float64).apply(x))
    assert np.all(relative(result.x, x) <= 1e-12)


@pytest.mark.parametrize("shape", [(0, 12), (3, 0, 12), (0, 3, 2, 2)])
def test_empty_batch(shape):
    layer = ReLULayer.from_module(nn.Conv2d(1, 3, 2), (1, 3, 3))
    result = invert(layer, np.zeros(shape))
    batch = shape[:-1] if shape[-1] == 12 else shape[:-3]
    assert result.x.shape == (*batch, *((9,) if shape[-1] == 12 else (1, 3, 3)))
    for column, kind in ((result.unique, bool), (result.residual, float), (result.condition, float)):
        assert column.shape == batch
        assert column.dtype == kind


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([1.0, -1.0, 0.0]), "1 negative entries"),
        (np.array([1.0, np.nan, 0.0]), "NaN"),
        (np.array([1.0, np.inf, 0.0]), "infinite"),
        (np.ones(4), "expected an array of shape"),
        (np.ones((3, 2)), "expected an array of shape"),
        (np.array(["a", "b", "c"]), "real numbers"),
        (np.ones(3) * 1j, "real numbers"),
    ],
)
def test_bad_outputs(y, message):
    with pytest.raises(ArgumentError, match=message):
        invert(ReLULayer(np.eye(3)), y)


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_parts_and_threads_change_nothing(rng, monkeypatch, n_jobs):
    layer = ReLULayer(rng.standard_normal((30, 6)), rng.standard_normal(30))
    y = layer.apply(rng.standard_normal((17, 6)))
    expected = invert(layer, y, n_jobs=1)
    monkeypatch.setattr(_direct, "_FACTOR_BYTES", 3 * 8 * 36)
    result = invert(layer, y, n_jobs=n_jobs)
    assert np.allclose(result.x, expected.x)
    assert np.array_equal(result.unique, expected.unique)
    assert np.allclose(result.condition, expected.condition)


def test_many_slow_points_stay_affordable(rng):
    weight = rng.standard_normal((400, 200))
    weight[rng.choice(400, 120, replace=False)] = weight[rng.choice(400, 120)]
    low = rng.standard_normal((400, 150)) @ rng.standard_normal((150, 200))
    for matrix in (weight, low):
        layer = ReLULayer(matrix)
        x = rng.standard_normal((60, 200))
        start = time.perf_counter()
        result = invert(layer, layer.apply(x))
        unrelu.analyse_points(layer, x)
        assert time.perf_counter() - start < 30  # a second on an idle machine
        assert not result.unique.any() or matrix is weight
