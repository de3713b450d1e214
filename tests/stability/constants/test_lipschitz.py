"""Lipschitz constants of layers, against all regions one by one and against pairs of points."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unrelu
from tests.recipes import RECIPES
from tests.reference.cells import box_rows, cells, dot, small_layer, whole
from tests.reference.stability import extremes_over, patterns_on_a_grid, smallest_ratio
from unrelu.errors import ArgumentError
from unrelu.stability import Interval, lipschitz


def every_pattern(weight: np.ndarray, bias: np.ndarray, G=None, h=None) -> np.ndarray:
    """The strictly active rows of every region, in whole numbers."""
    n = weight.shape[1]
    rows = [whole(row) for row in np.column_stack([weight, bias]).tolist()]
    negative = [(0,) * n + (-1,)]
    if G is not None:
        negative += [whole(row) for row in np.column_stack([G, -np.asarray(h)]).tolist()]
    found = {tuple(dot(row, x) > 0 for row in rows) for x in cells(negative, rows, n + 1)}
    return np.array(sorted(found), dtype=bool).reshape(len(found), len(weight))


def agrees(interval: Interval, value: float) -> bool:
    """Whether an interval is tight and holds a value, up to the rounding of the value."""
    slack = 1e-9 * max(1.0, value)
    tight = interval.high - interval.low <= slack
    return tight and interval.low - slack <= value <= interval.high + slack


@pytest.mark.parametrize("seed", range(15))
def test_every_region_of_small_layers(seed: int):
    weight, bias = small_layer(np.random.default_rng(seed))
    found = lipschitz(unrelu.ReLULayer(weight, bias))
    least, most = extremes_over(weight, every_pattern(weight, bias))
    assert found.complete
    assert agrees(found.sigma_star, least)
    assert agrees(found.upper, most)
    assert found.lower.low == found.sigma_star.low / 2 and found.lower.high <= found.sigma_star.high
    if found.pair is not None:
        ratio = smallest_ratio(weight, bias, found.pair)
        assert ratio <= found.lower.high < found.sigma_star.high and ratio >= found.lower.low


@pytest.mark.parametrize("seed", range(6))
def test_every_region_in_a_box(seed: int):
    weight, bias = small_layer(np.random.default_rng(100 + seed))
    n = weight.shape[1]
    found = lipschitz(unrelu.ReLULayer(weight, bias), domain=unrelu.Box(-0.5, 1.5))
    least, most = extremes_over(weight, every_pattern(weight, bias, *box_rows(n, -0.5, 1.5)))
    assert agrees(found.sigma_star, least) and agrees(found.upper, most)


@pytest.mark.parametrize(
    "name", ["repeated_row", "antiparallel_pair", "rank_deficient", "zero_row", "no_rows"]
)
def test_special_layers(name: str):
    made = RECIPES[name]()
    found = lipschitz(made.layer, made.points)
    if name == "antiparallel_pair":
        values = np.linalg.svd(made.weight[:4], compute_uv=False)
        signs = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T.astype(bool)
        patterns = np.hstack([signs, ~signs])
        assert agrees(found.sigma_star, values[-1]) and agrees(found.upper, values[0])
        least, most = extremes_over(made.weight, patterns)
        assert (least, most) == pytest.approx((values[-1], values[0]))
    if name in {"rank_deficient", "no_rows"}:
        assert found.sigma_star.high <= 1e-12 and found.condition.high == np.inf
    assert found.smallest.min() >= found.sigma_star.low - 1e-12
    assert found.complete


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in {"repeated_kernels", "strided"}])
def test_layers_of_every_kind(name: str):
    made = RECIPES[name]()
    found = lipschitz(made.layer, made.points, time_limit=0.5)
    for interval in (found.upper, found.lower, found.sigma_star, found.puthawala, found.condition):
        assert 0 <= interval.low <= interval.high
    values = np.linalg.svd(made.weight, compute_uv=False)
    assert found.upper.high <= values.max(initial=0) * (1 + 1e-12)
    assert found.sigma_star.high <= values.min(initial=np.inf) * (1 + 1e-12) + 1e-12 * values.max(initial=0)
    assert found.condition.low >= np.sqrt(2) * (1 - 1e-15)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_true_constant_lies_in_the_interval(n: int, seed: int):
    """Brute force over pairs of points on a grid comes down to the true lower constant from above."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((2 * n + 1, n))
    weight = np.vstack([weight, -weight * rng.uniform(0.5, 2, (len(weight), 1))])  # injective
    found = lipschitz(unrelu.ReLULayer(weight))
    ticks = np.linspace(-2, 2, 801) if n == 1 else np.linspace(-2, 2, 25)
    points = np.stack(np.meshgrid(*[ticks] * n), axis=-1).reshape(-1, n)
    ratio = smallest_ratio(weight, np.zeros(len(weight)), points)
    assert found.lower.low > 0
    assert found.lower.low <= ratio * (1 + 1e-12)
    assert found.lower.high <= ratio * (1 + 1e-6)  # the pair found is no worse than any on the grid
    assert found.puthawala.high <= ratio * (1 + 1e-12)
    assert found.puthawala.low == pytest.approx(found.sigma_star.low / np.sqrt(2 * len(weight)))
    assert found.eckert == found.sigma_star


def test_opposite_rows_show_that_sigma_star_is_no_lower_bound():
    """``[B; -B]``: the pair ``x, -x`` comes nearer than ``sigma*`` by ``sqrt(2)``, for any ``B``."""
    basis = np.random.default_rng(5).standard_normal((2, 2))
    weight = np.vstack([basis, -basis])
    found = lipschitz(unrelu.ReLULayer(weight))
    x = np.linalg.svd(basis)[2][-1]
    ratio = smallest_ratio(weight, np.zeros(4), np.stack([x, -x]))
    assert ratio == pytest.approx(found.sigma_star.high / np.sqrt(2))
    assert found.lower.low <= ratio < found.eckert.low
    assert found.lower.high == pytest.approx(ratio)


def test_one_dimension_in_closed_form():
    """``relu(x), relu(-2 x)``: the constants are 1 and 2, or 2 / sqrt(5) for points on both sides."""
    found = lipschitz(unrelu.ReLULayer(np.array([[1.0], [-2.0]])))
    assert agrees(found.sigma_star, 1.0) and agrees(found.upper, 2.0)
    assert found.lower.low == pytest.approx(0.5) and found.lower.high == pytest.approx(2 / np.sqrt(5))
    assert found.condition.low == pytest.approx(np.sqrt(5))


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_scaling_and_permutation(seed: int, factor: float):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-2, 3, (7, 2)).astype(float)
    order = rng.permutation(7)
    one, other = lipschitz(unrelu.ReLULayer(weight)), lipschitz(unrelu.ReLULayer(factor * weight[order]))
    assert other.sigma_star.high == pytest.approx(factor * one.sigma_star.high, abs=1e-9 * factor)
    assert other.upper.high == pytest.approx(factor * one.upper.high, abs=1e-9 * factor)


@pytest.mark.parametrize("factor", [1e-200, 1e-100, 1e100, 1e200])
def test_huge_and_tiny_scales(factor: float):
    weight = np.vstack([np.diag([2.0, 1.0]), -np.diag([2.0, 1.0])])
    found = lipschitz(unrelu.ReLULayer(factor * weight), np.ones((1, 2)))
    for interval, value in ((found.sigma_star, 1.0), (found.upper, 2.0)):
        assert (interval.low / factor, interval.high / factor) == pytest.approx((value, value))
    assert 0 < found.lower.low < found.lower.high <= found.sigma_star.high
    assert np.sqrt(2) <= found.condition.low <= found.condition.high == pytest.approx(4.0)


def test_sets_of_figure_5(rng: np.random.Generator):
    weight, bias = rng.standard_normal((40, 6)), rng.standard_normal(40)
    x = rng.standard_normal((3, 5, 6))
    found = lipschitz(unrelu.ReLULayer(weight, bias), x, time_limit=0)
    for place in np.ndindex(3, 5):
        values = np.linalg.svd(weight[weight @ x[place] + bias >= 0], compute_uv=False)
        assert found.largest[place] == pytest.approx(values[0])
        assert found.smallest[place] == pytest.approx(values[5] if len(values) == 6 else 0.0)
    assert not found.complete
    assert found.sigma_star.low == 0 and found.sigma_star.high == pytest.approx(found.smallest.min())
    assert found.upper.low == pytest.approx(found.largest.max())
    values = np.linalg.svd(weight, compute_uv=False)
    assert found.upper.high == pytest.approx(values[0])
    assert found.frame_bounds == pytest.approx((values[-1] ** 2, values[0] ** 2))


def test_an_unfinished_search_still_bounds(rng: np.random.Generator):
    weight = np.vstack([rng.standard_normal((16, 3)), 3 * np.eye(3), -3 * np.eye(3)])
    whole_search = lipschitz(unrelu.ReLULayer(weight))
    part = lipschitz(unrelu.ReLULayer(weight), time_limit=0.02)
    assert whole_search.complete and not part.complete
    assert part.sigma_star.low <= whole_search.sigma_star.low <= part.sigma_star.high
    assert part.upper.low <= whole_search.upper.high <= part.upper.high * (1 + 1e-12)


def test_torch_in_torch_out():
    layer = unrelu.ReLULayer(torch.eye(3))
    found = lipschitz(layer, torch.ones(2, 3))
    assert isinstance(found.smallest, torch.Tensor) and found.largest.tolist() == [1.0, 1.0]


def test_grid_twin():
    """The grid of the naive twin meets every region of a layer without bias."""
    weight = np.random.default_rng(3).standard_normal((6, 2))
    exact = every_pattern(weight, np.zeros(6))
    assert np.array_equal(np.unique(exact, axis=0), patterns_on_a_grid(weight, np.zeros(6)))


@pytest.mark.parametrize(
    ("data", "domain", "message"),
    [
        (np.zeros((0, 2)), None, "data: expected at least one point"),
        (np.ones(3), None, "data: expected an array of shape"),
        (np.array([np.nan, 0.0]), None, "data: expected finite"),
        (np.array([2.0, 0.0]), unrelu.Box(0, 1), "data: expected points of the domain"),
        (None, unrelu.Box(1, 1), "inner points"),
        (None, unrelu.Sphere(1.0), "polyhedral"),
        (None, unrelu.Box(np.zeros(3), np.ones(3)), "n: expected 3"),
    ],
)
def test_bad_input(data, domain, message: str):
    with pytest.raises(ArgumentError, match=message):
        lipschitz(unrelu.ReLULayer(np.eye(2)), data, domain=domain)


def test_negative_time():
    with pytest.raises(ArgumentError, match="time_limit"):
        lipschitz(unrelu.ReLULayer(np.eye(2)), time_limit=-1)
