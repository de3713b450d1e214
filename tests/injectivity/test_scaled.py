"""Rows and columns scaled by powers of two: the same question in numbers near 1."""

import numpy as np
import pytest

from tests.recipes import RECIPES
from unrelu.certificates import DomainRecord, LayerRecord
from unrelu.injectivity._scaled import scaled_rows


@pytest.mark.parametrize("name", RECIPES)
def test_signs_stay(name, rng):
    recipe = RECIPES[name]()
    layer = recipe.layer.record()
    box = DomainRecord("box", layer.n, np.full(layer.n, -2.0), np.full(layer.n, 2.0))
    scaled = scaled_rows(layer, box)
    factors = np.ldexp(1.0, np.clip(scaled.scales, -1000, 1000))
    with np.errstate(over="ignore"):
        ratio = scaled.rows / factors
    for row, original in zip(ratio, np.column_stack([recipe.weight, recipe.bias]), strict=True):
        used = original != 0
        assert (used == (row != 0)).all()
        assert np.ptp(np.log2(row[used] / original[used])) < 1e-9 if used.any() else True
    assert (
        np.sign(scaled.faces) == np.sign(np.column_stack([box.inequalities()[0], -box.inequalities()[1]]))
    ).all()


def test_columns_of_very_different_sizes_come_near_one():
    layer = LayerRecord.dense(np.array([[1e-200, 1e100], [3e-200, -2e100]]), np.array([1.0, 2.0]))
    scaled = scaled_rows(layer, DomainRecord("space", 2))
    size = np.abs(scaled.rows[:, :-1])
    assert size.max() / size.min() < 100
    x = scaled.point(np.array([0.5, -0.5]))
    signs = np.sign(layer.values.reshape(2, 2) @ x + layer.bias)
    assert (np.sign(scaled.rows @ [0.5, -0.5, 1.0]) == signs).all()


def test_what_would_be_rounded_stays():
    weight = np.array([[5e-324, 1e300], [1e300, 1.0 + 2.0**-52]])
    layer = LayerRecord.dense(weight, np.array([1e-320, 3.0]))
    scaled = scaled_rows(layer, DomainRecord("space", 2))
    lost = scaled.rows == 0
    assert not lost.any()
