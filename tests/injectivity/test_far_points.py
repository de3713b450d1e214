"""Layers with up to 2n directions of rows on R^n: always decided, however thin the wedge of a witness is."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.cells import unspanned_point
from unrelu import ReLULayer, Verdict, decide, verify
from unrelu.certificates import DomainRecord, LayerRecord
from unrelu.injectivity._structure import decide_by_structure


def exactly_opposite(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two rows are, one rational number at a time."""
    k = int(np.flatnonzero(a)[0])
    ratio = Fraction(float(b[k])) / Fraction(float(a[k]))
    return ratio < 0 and all(
        Fraction(float(q)) == ratio * Fraction(float(p)) for p, q in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12, 40])
@pytest.mark.parametrize("seed", range(4))
def test_pairs_that_are_opposite_up_to_rounding(n, seed):
    rng = np.random.default_rng(seed)
    basis, factor = rng.standard_normal((n, n)), rng.uniform(0.5, 3.0, (n, 1))
    weight = rng.permutation(np.vstack([basis, -factor * basis]))
    layer = ReLULayer(weight)
    decision = decide(layer, time_limit=5)
    pairs = sum(exactly_opposite(a, b) for i, a in enumerate(weight) for b in weight[:i])
    assert decision.verdict == (Verdict.INJECTIVE if pairs == n else Verdict.NOT_INJECTIVE)
    assert verify(decision.certificate, layer).valid
    assert (pairs == n) == (n == 1)


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("scale", [1.0, 2.0**-1000, 2.0**1000])
def test_one_last_bit(bias, scale, rng):
    basis = rng.standard_normal((6, 6))
    other = -basis
    other[2, 4] = np.nextafter(other[2, 4], 9)
    layer = ReLULayer(np.vstack([basis, other]) * scale, bias * rng.standard_normal(12))
    decision = decide(layer, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert verify(decision.certificate, layer).valid
    assert decision.collision is None or decision.collision.distance > 0
    if decision.collision is None:
        assert "no two float64 inputs" in decision.reason


@pytest.mark.parametrize("seed", range(8))
def test_fewer_directions_nearly_all_opposite(seed):
    # 2n - 1 directions, some of them in several rows.
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((5, 5))
    weight = np.vstack([basis, -3.1 * basis[1:], 4.0 * basis, np.zeros((2, 5))])
    layer = ReLULayer(weight, rng.standard_normal(len(weight)) * (seed % 2))
    decision = decide(layer, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert verify(decision.certificate, layer).valid


digits = st.sampled_from([-1.0, 0.0, 1.0, 1 + 2.0**-52, 0.1, 2.0**-60, -3.0])


@given(st.integers(1, 3), st.data())
def test_small_layers_against_all_cells(n, data):
    m = data.draw(st.integers(0, 2 * n))
    weight = np.array(data.draw(st.lists(digits, min_size=m * n, max_size=m * n))).reshape(m, n)
    if data.draw(st.booleans()):
        half = weight[: m // 2]
        weight = np.vstack([half, data.draw(st.sampled_from([-1.0, -3.0, -0.1])) * half])
    bias = np.array(data.draw(st.lists(digits, min_size=len(weight), max_size=len(weight))))
    found = decide_by_structure(LayerRecord.dense(weight, bias), DomainRecord("space", n))
    assert verify(found).valid
    assert (found.form == "injective-structure") == (unspanned_point(weight, bias) is None)
