"""Signs at points and inner points against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from tests.recipes import RECIPES
from unrelu.certificates import DomainRecord, LayerRecord
from unrelu.certificates._rows import Rows
from unrelu.certificates.injective import exact_vector, lies_inside, signs_at
from unrelu.certificates.injective._signs import lines_of


def value(row, x, b) -> Fraction:
    return sum((Fraction(p) * Fraction(q) for p, q in zip(row, x, strict=True)), Fraction(b))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    recipe = RECIPES[name]()
    layer = recipe.layer.record()
    for point in recipe.points:
        values = [
            value(row, point.tolist(), b)
            for row, b in zip(recipe.weight.tolist(), recipe.bias.tolist(), strict=True)
        ]
        signs = [(v > 0) - (v < 0) for v in values]
        assert signs_at(layer, point).tolist() == signs
        assert signs_at(layer, exact_vector(point.tolist())).tolist() == signs


def test_numbers_out_of_range():
    layer = LayerRecord.dense(np.array([[1e308, 1e308], [1e-300, -1e-300]]), np.array([-1e308, 0.0]))
    assert signs_at(layer, np.array([1e308, -1e308])).tolist() == [-1, 1]
    assert signs_at(layer, np.array([1e-300, 1e-300])).tolist() == [-1, 0]
    assert signs_at(layer, np.array([2e-300, 1e-300])).tolist() == [-1, 1]


DOMAINS = [
    (DomainRecord("space", 2), [(0.0, 1e308)], []),
    (DomainRecord("orthant", 2), [(5e-324, 1.0)], [(0.0, 1.0), (-1.0, 1.0)]),
    (DomainRecord("box", 2, np.array([0.0, -np.inf]), np.ones(2)), [(0.5, -1e308)], [(0.0, 0.0), (0.5, 1.0)]),
    (
        DomainRecord("polytope", 2, matrix=np.array([[0.1, 0.2]]), offsets=np.array([0.3])),
        [(0.0, 0.0)],
        [(1.0, 1.0), (9.0, 9.0)],  # 0.1 + 0.2 is more than 0.3 for the stored numbers
    ),
    (
        DomainRecord("ball", 2, center=np.zeros(2), radius=5.0),
        [(3.0, np.nextafter(4.0, 0))],
        [(3.0, 4.0), (5.0, 1e-200)],
    ),
]


@pytest.mark.parametrize(("domain", "inside", "outside"), DOMAINS)
def test_inner_points(domain, inside, outside):
    for points, answer in ((inside, True), (outside, False)):
        for point in points:
            assert lies_inside(domain, np.array(point)) is answer
            assert lies_inside(domain, exact_vector(point)) is answer


def test_lines():
    rows = np.array(
        [[1.0, 3.0], [-0.1, -0.3], [0.2, 0.6], [0.0, 0.0], [0.0, 1.0], [0.0, -5e-324], [1.0, 0.0]]
    )
    # 0.3 is less than 3 * 0.1 for the stored numbers; the third row is -2 times the second.
    assert lines_of(Rows.of(rows)) == 4
    assert lines_of(Rows.of(rows[3:4])) == 0
