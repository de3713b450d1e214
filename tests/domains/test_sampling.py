"""Uniform samples: in the set, reproducible, and with the right laws."""

import numpy as np
import pytest
import torch
from scipy import stats

from unrelu.domains import Ball, Box, Domain, Orthant, Polytope, Shell, Space, Sphere
from unrelu.errors import ArgumentError

COUNT = 20_000
SAMPLED = [
    (Box(0, 1), 5),
    (Box([-1, 2, 0], [1, 2, 1e30]), 3),
    (Ball(0, 2), 1),
    (Ball([1, -1, 3], 0.5), 3),
    (Sphere(3), 1),
    (Sphere(3), 40),
    (Shell(1, 2), 4),
    (Shell(0, 2), 2000),
    (Shell(1.9, 2), 2000),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("domain", "n"), SAMPLED, ids=str)
def test_samples_lie_in_the_set(domain: Domain, n: int, dtype: torch.dtype):
    x = domain.sample(500, n, seeded(), dtype=dtype)
    assert x.shape == (500, n) and x.dtype == dtype
    assert domain.contains(x, tol=1e-5 if dtype == torch.float32 else 1e-13).all()


def test_a_box_of_all_numbers_does_not_overflow():
    x = Box(-1.7e308, 1.7e308).sample(500, 2, seeded())
    assert torch.isfinite(x).all()
    assert 0.4 < (x > 0).double().mean() < 0.6


@pytest.mark.parametrize(("domain", "n"), SAMPLED, ids=str)
def test_seed_decides(domain: Domain, n: int):
    first, again, other = (domain.sample(10, n, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    if n > 1:
        assert not torch.equal(first, other)


def test_without_a_generator_the_global_one_is_used():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = Box(0, 1).sample(4, 2)
        torch.manual_seed(3)
        assert torch.equal(first, Box(0, 1).sample(4, 2))


def test_the_dimension_may_come_from_the_parameters():
    assert Ball([0, 0, 0], 1).sample(2).shape == (2, 3)
    assert Box(0, [1, 2]).sample(np.int64(2)).dtype == torch.float64


def assert_uniform(values: torch.Tensor) -> None:
    """Kolmogorov-Smirnov against [0, 1], on a fixed sample."""
    assert stats.kstest(values.numpy(), "uniform").pvalue > 0.001


def test_box_is_uniform():
    x = Box([0, -3], [1, 5]).sample(COUNT, generator=seeded())
    assert_uniform(x[:, 0])
    assert_uniform((x[:, 1] + 3) / 8)
    assert abs(np.corrcoef(x.T.numpy())[0, 1]) < 0.03


@pytest.mark.parametrize("n", [1, 2, 3, 10, 784])
def test_ball_radius_law(n: int):
    """The share of a ball within radius r is (r / radius)^n."""
    x = Ball(1, 2).sample(COUNT, n, seeded())
    assert_uniform(((x - 1).norm(dim=1) / 2) ** n)
    assert ((x - 1).mean(0).abs() < 5 * 2 / COUNT**0.5).all()


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_shell_radius_law(n: int):
    x = Shell(1, 2).sample(COUNT, n, seeded())
    assert_uniform((x.norm(dim=1) ** n - 1) / (2**n - 1))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_sphere_marginal_law(n: int):
    """The square of one coordinate of a uniform unit vector is Beta(1/2, (n-1)/2)."""
    x = Sphere(3).sample(COUNT, n, seeded()) / 3
    for i in (0, n - 1):
        assert stats.kstest(x[:, i].numpy() ** 2, stats.beta(0.5, (n - 1) / 2).cdf).pvalue > 0.001
    assert (x.mean(0).abs() < 5 / COUNT**0.5).all()


def test_sphere_on_the_line_is_two_points():
    x = Sphere(3).sample(1000, 1, seeded())
    assert set(x.flatten().tolist()) == {-3.0, 3.0}
    assert 400 < int((x > 0).sum()) < 600


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (Space(), "Space has no uniform distribution to sample from, because it is unbounded"),
        (Orthant(), "Orthant has no uniform distribution"),
        (Box(0, np.inf), "Box has no uniform distribution to sample from, because a bound is infinite"),
        (Polytope(np.eye(2), 1), "Polytope has no uniform sampler here; draw from an enclosing Box"),
    ],
)
def test_what_cannot_be_sampled(domain: Domain, message: str):
    with pytest.raises(ArgumentError, match=message):
        domain.sample(3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count: expected a whole number of at least 1, got 0"),
        ({"count": 2.5}, "count: expected a whole number"),
        ({"count": True}, "count: expected a whole number"),
        ({"n": None}, "n: expected the dimension"),
        ({"n": -1}, "n: expected a whole number"),
        ({"generator": 7}, "generator: expected a torch.Generator, got 7"),
        ({"dtype": torch.int64}, "dtype: expected a floating torch dtype"),
        ({"dtype": "float32"}, "dtype: expected a floating torch dtype"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str):
    with pytest.raises(ArgumentError, match=message):
        Box(0, 1).sample(**{"count": 3, "n": 2} | arguments)
