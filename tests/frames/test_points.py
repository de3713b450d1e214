"""Verdicts on points against exact classification."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.frames.matrices import KINDS
from tests.recipes import RECIPES
from tests.reference import frames as reference
from unrelu.errors import ArgumentError
from unrelu.frames import DenseFrame, Evidence, PointAnalysis, SparseFrame, _points, analyse_points
from unrelu.layers import ReLULayer

UNDECIDED = {Evidence.BOUNDARY, Evidence.PRECISION}


def check(layer: ReLULayer, x: np.ndarray, result: PointAnalysis) -> int:
    """Compare with the exact classification; return the number of avoidable undecided verdicts."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    avoidable = 0
    for k, point in enumerate(x):
        verdict, rank = reference.singleton(weight, bias, point)
        signs = reference.signs(weight, bias, point)
        assert result.singleton[k] in {verdict, -1}
        assert (result.singleton[k] == -1) == (result.evidence[k] in UNDECIDED)
        assert result.n_active[k] == (signs > 0).sum()
        assert result.rank[k] == rank or not result.rank_certified[k]
        assert result.rank[k] >= -1
        if result.evidence[k] == Evidence.BOUNDARY:
            assert verdict == -1
        assert 0 <= result.radius[k] <= reference.radius(weight, bias, point)
        assert result.radius[k] == 0 or result.singleton[k] == 1
        avoidable += result.singleton[k] != verdict
    return avoidable


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    case = RECIPES[name]()
    assert check(case.layer, case.points, analyse_points(case.layer, case.points, n_jobs=1)) == 0


@pytest.mark.parametrize("engine", [DenseFrame, SparseFrame])
@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_verdict(kind, engine):
    rng = np.random.default_rng(11)
    undecided = 0
    for _ in range(25):
        weight = KINDS[kind](rng)
        size = np.abs(weight).max()
        bias = rng.integers(-1, 3, len(weight)) * rng.choice([0.0, size])
        layer = ReLULayer(weight, bias)
        x = rng.integers(-2, 3, (4, layer.n)) * 1.0
        frame = engine(weight if engine is DenseFrame else sp.csr_array(weight))
        undecided += check(layer, x, analyse_points(layer, x, frame=frame, n_jobs=1))
    assert undecided == 0 or kind == "low_rank"
    assert undecided <= 3


@pytest.mark.parametrize(("m", "n"), [(8, 3), (30, 6), (5, 5), (20, 9)])
def test_generic_layers_are_decided_with_the_largest_radius(rng, m, n):
    layer = ReLULayer(rng.standard_normal((m, n)), rng.uniform(-0.5, 1, m))
    x = rng.standard_normal((40, n))
    result = analyse_points(layer, x)
    assert check(layer, x, result) == 0
    assert result.rank_certified.all()
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    best = [
        reference.radius(weight, bias, p) if s == 1 else 0.0 for p, s in zip(x, result.singleton, strict=True)
    ]
    assert np.allclose(result.radius, best, rtol=1e-9)


def test_points_inside_the_radius(rng):
    layer = ReLULayer(rng.standard_normal((20, 4)))
    x = rng.standard_normal((30, 4))
    result = analyse_points(layer, x)
    inside = np.flatnonzero(result.radius > 0)
    assert len(inside) > 10
    step = rng.standard_normal((20, len(inside), 4))
    step *= 0.999999 * result.radius[inside][:, None] / np.linalg.norm(step, axis=2, keepdims=True)
    moved = analyse_points(layer, (x[inside] + step).reshape(-1, 4))
    assert (moved.singleton == 1).all()
    # The radius ends where it must: beyond it, towards the nearest hyperplane, rows are lost.
    assert np.all(
        result.radius[inside] <= [reference.radius(layer.dense().numpy(), np.zeros(20), p) for p in x[inside]]
    )


def test_radius_with_zero_and_repeated_rows(rng):
    base = rng.standard_normal((6, 3))
    weight = np.vstack([np.zeros((4, 3)), base, base])
    layer = ReLULayer(weight, np.concatenate([[1.0, 0.0, -1.0, 1.0], np.full(12, 2.0)]))
    result = analyse_points(layer, np.zeros((1, 3)))
    assert result.singleton[0] == 1
    assert 0 < result.radius[0] <= reference.radius(weight, layer.bias.numpy(), np.zeros(3))


def test_radius_where_only_exact_arithmetic_proves():
    case = RECIPES["one_ulp_apart"]()
    result = analyse_points(case.layer, case.points)
    assert (result.singleton == 1).all()
    assert (result.radius > 0).all()


def test_evidence():
    layer = ReLULayer(np.vstack([np.eye(2), -np.eye(2)]))
    x = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    result = analyse_points(layer, x)
    assert result.singleton.tolist() == [1, -1, -1]
    assert result.evidence.tolist() == ["rank", "boundary", "boundary"]
    assert analyse_points(ReLULayer(np.eye(2), np.ones(2)), x).evidence.tolist() == ["count"] * 3
    assert analyse_points(ReLULayer(np.eye(2)), -x - 1).evidence.tolist() == ["count"] * 3
    assert analyse_points(ReLULayer(np.array([[1.0, 0.0]])), x).evidence.tolist() == ["structure"] * 3
    repeated = ReLULayer(np.array([[1.0, 2.0]] * 3), np.ones(3))
    assert analyse_points(repeated, x).evidence.tolist() == ["structure"] * 3
    some = ReLULayer(np.array([[1.0, 2.0]] * 3 + [[1.0, 0.0]]), np.array([1.0, 1, 1, -9]))
    assert analyse_points(some, x).evidence.tolist() == ["rank"] * 3
    assert analyse_points(some, x).singleton.tolist() == [0] * 3


def test_undecided_for_want_of_effort(monkeypatch):
    from unrelu.frames import _frame

    monkeypatch.setattr(_frame, "_EXACT_ENTRIES", 0)
    monkeypatch.setattr(_frame, "_MODULAR_ENTRIES", 0)
    case = RECIPES["rank_deficient"]()
    result = analyse_points(case.layer, case.points)
    assert (result.evidence == Evidence.PRECISION).any()
    assert (result.singleton[result.evidence == Evidence.PRECISION] == -1).all()
    assert (result.rank[result.evidence == Evidence.PRECISION] == -1).all()
    check(case.layer, case.points, result)


def test_assumed_general_position(rng):
    weight = rng.standard_normal((12, 4))
    x = rng.standard_normal((20, 4))
    layer = ReLULayer(weight)
    counted, proved = analyse_points(layer, x, assume_general_position=True), analyse_points(layer, x)
    assert np.array_equal(counted.singleton, proved.singleton)
    assert np.array_equal(counted.rank, proved.rank)
    assert np.allclose(counted.radius, proved.radius)
    assert not counted.rank_certified.any()
    assert set(counted.evidence) == {"count"}


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_assumed_is_not_certified(name):
    case = RECIPES[name]()
    result = analyse_points(case.layer, case.points, assume_general_position=True)
    for k, point in enumerate(case.points):
        if result.rank_certified[k]:
            assert result.rank[k] == reference.singleton(case.weight, case.bias, point)[1]
    assert np.all(result.radius >= 0)


def test_independent_rows_are_counted_and_certified(rng):
    layer = ReLULayer(rng.standard_normal((5, 5)))
    result = analyse_points(layer, rng.standard_normal((20, 5)))
    assert result.rank_certified.all()
    assert set(result.evidence) == {"count"}
    assert np.array_equal(result.rank, result.n_active)


def test_formats(rng):
    layer = ReLULayer.from_module(nn.Conv2d(2, 5, 3, padding=1), (2, 4, 4))
    x = rng.standard_normal((3, 2, 2, 4, 4))
    flat = analyse_points(layer, x.reshape(6, 32))
    for given_x in (x, torch.from_numpy(x), x.reshape(3, 2, 32)):
        result = analyse_points(layer, given_x)
        assert np.array_equal(result.singleton, flat.singleton)
        assert np.array_equal(result.radius, flat.radius)
        assert result.singleton.shape == (6,)
    one = analyse_points(layer, x[0, 0])
    assert one.singleton.shape == (1,)


def test_empty_batch():
    result = analyse_points(ReLULayer(np.eye(3)), np.zeros((0, 3)))
    for name in ("n_active", "rank", "rank_certified", "singleton", "radius", "evidence"):
        assert getattr(result, name).shape == (0,)
    assert result.singleton.dtype == np.int8
    assert result.rank_certified.dtype == bool


def test_types(rng):
    result = analyse_points(ReLULayer(rng.standard_normal((9, 3))), rng.standard_normal((4, 3)))
    assert result.n == 3
    assert result.rank.dtype == result.n_active.dtype == np.int64
    assert result.singleton.dtype == np.int8
    assert result.rank_certified.dtype == bool
    assert result.radius.dtype == float


@pytest.mark.parametrize(
    "bad", [np.full((2, 3), np.nan), np.full((2, 3), np.inf), np.zeros((2, 4)), np.zeros(())]
)
def test_bad_input(bad):
    with pytest.raises(ArgumentError):
        analyse_points(ReLULayer(np.eye(3)), bad)


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("size", [1, 2000, 10**9])
def test_chunks_and_threads_change_nothing(monkeypatch, rng, size, n_jobs):
    layer = ReLULayer(rng.standard_normal((12, 4)))
    x = rng.standard_normal((37, 4))
    expected = analyse_points(layer, x, n_jobs=1)
    monkeypatch.setattr(_points, "_CHUNK_BYTES", size)
    result = analyse_points(layer, x, n_jobs=n_jobs)
    assert np.array_equal(result.singleton, expected.singleton)
    assert np.allclose(result.radius, expected.radius, rtol=1e-12)


def test_smaller_dtypes(rng):
    weight = rng.standard_normal((9, 3)).astype(np.float32).astype(float)
    x = rng.standard_normal((8, 3))
    exact = analyse_points(ReLULayer(weight), x)
    single = analyse_points(ReLULayer(weight).to(dtype=torch.float32), x)
    assert np.array_equal(exact.singleton, single.singleton)
    assert np.allclose(exact.radius, single.radius, rtol=1e-12)


CONVOLUTIONS = {
    "1d": nn.Conv1d(2, 6, 3, padding=1),
    "1d strided": nn.Conv1d(2, 9, 4, stride=3),
    "1d dilated": nn.Conv1d(2, 6, 3, dilation=2, padding=2),
    "2d": nn.Conv2d(2, 5, 3, padding=1),
    "2d groups": nn.Conv2d(2, 8, 3, padding=1, groups=2),
    "2d strided": nn.Conv2d(2, 12, 2, stride=2),
    "2d unread": nn.Conv2d(2, 9, 1, stride=2),
    "3d": nn.Conv3d(2, 5, 2, padding=1),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_agree_with_their_matrices(rng, name):
    module = CONVOLUTIONS[name]
    torch.manual_seed(0)
    module.reset_parameters()
    shape = (2, *{3: (12,), 4: (5, 6), 5: (3, 3, 4)}[module.weight.dim()])
    layer = ReLULayer.from_module(module, shape)
    dense = ReLULayer(layer.dense(), layer.bias)
    x = rng.standard_normal((12, layer.n))
    banded = analyse_points(layer, x, frame=SparseFrame(layer.linear.csr()))
    expected = analyse_points(dense, x)
    assert np.array_equal(banded.singleton, expected.singleton)
    assert np.array_equal(banded.rank[banded.rank_certified], expected.rank[banded.rank_certified])
    assert np.allclose(banded.radius, expected.radius, rtol=1e-9)
    assert (banded.singleton >= 0).all()


SEEDS = st.integers(0, 10**6)


def random_layer(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    """Integers, so that every property holds exactly; some rows are 0 at some points."""
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(1, 11)), int(rng.integers(1, 4))
    weight, bias = rng.integers(-3, 4, (m, n)) * 1.0, rng.integers(-2, 4, m) * 1.0
    return rng, weight, bias, rng.integers(-2, 3, (3, n)) * 1.0


@given(SEEDS)
def test_agrees_with_the_definition(seed):
    _, weight, bias, x = random_layer(seed)
    layer = ReLULayer(weight, bias)
    assert check(layer, x, analyse_points(layer, x, n_jobs=1)) == 0


@given(SEEDS)
def test_scaling_rows_changes_nothing(seed):
    rng, weight, bias, x = random_layer(seed)
    scale = 2.0 ** rng.integers(-60, 60, len(weight))
    before = analyse_points(ReLULayer(weight, bias), x, n_jobs=1)
    after = analyse_points(ReLULayer(weight * scale[:, None], bias * scale), x, n_jobs=1)
    assert np.array_equal(before.singleton, after.singleton)
    assert np.allclose(before.radius, after.radius, rtol=1e-12)


@given(SEEDS)
def test_order_of_rows_changes_nothing(seed):
    rng, weight, bias, x = random_layer(seed)
    order = rng.permutation(len(weight))
    before = analyse_points(ReLULayer(weight, bias), x, n_jobs=1)
    after = analyse_points(ReLULayer(weight[order], bias[order]), x, n_jobs=1)
    assert np.array_equal(before.singleton, after.singleton)


@given(SEEDS)
def test_signed_permutation_of_the_inputs_changes_nothing(seed):
    rng, weight, bias, x = random_layer(seed)
    turn = np.eye(weight.shape[1])[rng.permutation(weight.shape[1])] * rng.choice(
        [-1.0, 1.0], weight.shape[1]
    )
    before = analyse_points(ReLULayer(weight, bias), x, n_jobs=1)
    after = analyse_points(ReLULayer(weight @ turn.T, bias), x @ turn.T, n_jobs=1)
    assert np.array_equal(before.singleton, after.singleton)


@given(SEEDS)
def test_added_rows_keep_singletons(seed):
    rng, weight, bias, x = random_layer(seed)
    more = rng.integers(-3, 4, (3, weight.shape[1])) * 1.0
    before = analyse_points(ReLULayer(weight, bias), x, n_jobs=1)
    layer = ReLULayer(np.vstack([weight, more]), np.concatenate([bias, [0.0, 1.0, -1.0]]))
    after = analyse_points(layer, x, n_jobs=1)
    assert (after.singleton[before.singleton == 1] == 1).all()


@given(SEEDS)
def test_raised_bias_keeps_singletons(seed):
    rng, weight, bias, x = random_layer(seed)
    before = analyse_points(ReLULayer(weight, bias), x, n_jobs=1)
    after = analyse_points(ReLULayer(weight, bias + rng.integers(0, 3, len(bias))), x, n_jobs=1)
    assert (after.singleton[before.singleton == 1] == 1).all()


@given(SEEDS)
def test_not_a_singleton_has_a_collision(seed):
    _, weight, bias, x = random_layer(seed)
    layer = ReLULayer(weight, bias)
    result = analyse_points(layer, x, n_jobs=1)
    for point in x[result.singleton == 0]:
        weak = weight[weight @ point + bias >= 0]
        null = np.linalg.svd(np.vstack([weak, np.zeros((weight.shape[1], weight.shape[1]))]))[2][-1]
        rising = weight @ null
        gap = -(weight @ point + bias)
        step = min([0.5 * g / r for g, r in zip(gap, rising, strict=True) if g > 0 and r > 1e-9], default=1.0)
        assert np.allclose(layer.apply(point + step * null), layer.apply(point), atol=1e-9)
