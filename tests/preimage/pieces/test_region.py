"""Cuts of regions, boxes around them and the relaxation, against elimination in rational arithmetic."""

from fractions import Fraction

import flint
import numpy as np
import pytest

from tests.preimage.pieces.nets import network, random_layers
from tests.reference import pieces as reference
from tests.reference.preimage import Polyhedron as NaivePolyhedron
from unrelu import Box
from unrelu.preimage.pieces._bounds import range_of, tightened
from unrelu.preimage.pieces._chain import chain_of
from unrelu.preimage.pieces._leaf import Target
from unrelu.preimage.pieces._rationals import dot, exact, fraction, negated
from unrelu.preimage.pieces._region import Region, is_positive, split
from unrelu.preimage.pieces._relaxation import _put_back, excluded, relax
from unrelu.preimage.pieces._search import _compose
from unrelu.preimage.pieces._start import start_of


def rational(values) -> list[flint.fmpq]:
    return [exact(float(v)) for v in values]


def random_region(rng: np.random.Generator, k: int, count: int) -> Region:
    """Rows of whole numbers, positive at a point."""
    inside = rational([*rng.integers(-2, 3, k), 1])
    rows = []
    for row in rng.integers(-2, 3, (count, k + 1)):
        values = rational(row)
        values[-1] += flint.fmpq(int(rng.integers(1, 3))) - dot(values, inside)
        rows.append(values)
    return Region(tuple(rows), inside)


def reaches(region: Region, row) -> bool:
    """Whether the region has a point at which the row is negative."""
    rows = [([-fraction(v) for v in r[:-1]], -fraction(r[-1])) for r in region.rows]
    naive = NaivePolyhedron([], [*rows, ([0] * (len(row) - 1), 0)])
    return naive.has_point(([fraction(v) for v in row], True))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_cuts(k):
    rng = np.random.default_rng(k)
    outcomes = set()
    for _ in range(120):
        region = random_region(rng, k, int(rng.integers(0, 6)))
        row = rational(rng.integers(-2, 3, k + 1))
        sides = split(region, row)
        assert sides.proved
        assert (sides.positive is not None) == reaches(region, negated(row))
        assert (sides.negative is not None) == reaches(region, row)
        for part, sign in ((sides.positive, 1), (sides.negative, -1)):
            if part is not None:
                assert all(dot(r, part.inside) > 0 for r in part.rows)
                assert all(dot(r, part.inside) > 0 for r in region.rows)
                assert sign * dot(row, part.inside) > 0
        positive = is_positive(region, row)
        assert not positive or not reaches(region, row)
        outcomes.add((sides.positive is None, sides.negative is None, positive))
    assert len(outcomes) >= 3


def test_rows_that_touch_the_border():
    """The region ends exactly where the function is 0: an equality that no tolerance can tell."""
    third = flint.fmpq(1, 3)
    zero, one = flint.fmpq(0), flint.fmpq(1)
    region = Region(([one, zero, -third], [-one, one, one]), [one, one, one])
    sides = split(region, [one, zero, -third])
    assert sides.negative is None and sides.proved
    sides = split(region, [one, zero, -third - flint.fmpq(1, 2**80)])
    assert sides.negative is not None
    assert split(region, [zero, zero, zero]).positive is None


def test_boxes_keep_all_points(rng):
    for _ in range(100):
        region = random_region(rng, 3, 5)
        box = ((exact(-4.0), exact(4.0)), (None, exact(4.0)), (None, None))
        for row in (*region.rows, *region.rows):
            box = tightened(box, row)
        for point in rng.integers(-4, 5, (60, 3)):
            values = rational([*point, 1])
            if all(dot(row, values) >= 0 for row in region.rows):
                inside = zip(values[:-1], box, strict=True)
                assert all((lo is None or lo <= v) and (hi is None or v <= hi) for v, (lo, hi) in inside)
                low, high = range_of(region.rows[0], box)
                value = dot(region.rows[0], values)
                assert (low is None or low <= value) and (high is None or value <= high)


@pytest.mark.parametrize("final_relu", [False, True])
def test_what_the_relaxation_excludes_has_no_input(final_relu):
    rng = np.random.default_rng(3)
    cut = 0
    for _ in range(60):
        layers = random_layers(rng, "gaussian", [2, 3, 3, 2])
        chain = chain_of(network(layers, final_relu))
        start = start_of(Box(-1, 1), 2)
        y = rng.integers(0, 3, 2) / 2
        box = ((exact(-1.0), exact(1.0)),) * 2
        rows = _compose(chain, 0, start.lift)
        empty, _ = excluded(relax(chain, Target(rational(y)), 0, rows, (), box), start.region)
        if empty:
            cut += 1
            G, h = Box(-1, 1).inequalities(2)
            assert not reference.pieces(layers, [Fraction(v) for v in y.tolist()], final_relu, G, h)
    assert 10 < cut < 60


@pytest.mark.parametrize("final_relu", [False, True])
def test_any_multipliers_give_a_function_below_0_where_the_output_is_right(final_relu):
    """Whatever the linear program proposes: soundness rests on the way back through the layers alone."""
    rng = np.random.default_rng(6)
    values = []
    box = ((exact(-1.0), exact(1.0)),) * 2
    for _ in range(60):
        layers = random_layers(rng, "gaussian", [2, 4, 3, 2])
        chain = chain_of(network(layers, final_relu))
        start = start_of(Box(-1, 1), 2)
        u = rational([*rng.uniform(-1, 1, 2), 1])
        y = chain.output(u[:-1])
        relaxation = relax(chain, Target(y), 0, _compose(chain, 0, start.lift), (), box)
        weights = np.where(relaxation.equal, rng.standard_normal(2), rng.random(2))
        row = _put_back(relaxation, weights, [5 * rng.random(4), 5 * rng.random(3)])
        values.append(dot(row, u))
    assert max(values) <= 0
