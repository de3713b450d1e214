"""The tree in rational arithmetic against all cells; every proof is verified."""

import math

import numpy as np
import pytest

from tests.reference.cells import small_layer, unspanned_point
from unrelu.certificates import DomainRecord, LayerRecord, verify
from unrelu.injectivity.rational import decide_exactly


def domains(n: int) -> list[DomainRecord]:
    return [
        DomainRecord("space", n),
        DomainRecord("orthant", n),
        DomainRecord("box", n, np.full(n, -1.0), np.full(n, 1.0)),
        DomainRecord("polytope", n, matrix=np.vstack([-np.eye(n), np.ones((1, n))]), offsets=np.ones(n + 1)),
    ]


@pytest.mark.parametrize("seed", range(80))
def test_small_layers(seed):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng, 3)
    if seed % 4 == 3:  # of very different sizes
        scale = 2.0 ** rng.integers(-500, 500, len(weight))
        weight, bias = weight * scale[:, None], bias * scale * 2.0 ** rng.integers(-300, 300)
    domain = domains(weight.shape[1])[rng.integers(4)]
    found = decide_exactly(LayerRecord.dense(weight, bias), domain, math.inf)
    assert verify(found).valid, verify(found).reason
    assert (found.form == "injective") == (unspanned_point(weight, bias, *domain.inequalities()) is None)


def test_domains_without_inner_points():
    layer = LayerRecord.dense(-np.eye(2), np.zeros(2))
    flat = DomainRecord("polytope", 2, matrix=np.array([[1.0, 0], [-1, 0]]), offsets=np.zeros(2))
    assert decide_exactly(layer, flat, math.inf) is None


def test_no_time_and_no_room(rng):
    layer = LayerRecord.dense(rng.standard_normal((30, 4)), np.ones(30))
    assert decide_exactly(layer, DomainRecord("space", 4), -math.inf) is None
    large = LayerRecord.dense(rng.standard_normal((200, 100)), np.ones(200))
    assert decide_exactly(large, DomainRecord("space", 100), math.inf) is None


def test_gaussian_rows(rng):
    layer = LayerRecord.dense(rng.standard_normal((28, 3)), rng.standard_normal(28))
    found = decide_exactly(layer, DomainRecord("space", 3), math.inf)
    assert verify(found).valid
