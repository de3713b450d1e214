"""Verdicts of `decide` against exact references; witnesses and pairs are checked, not compared."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unrelu
from tests.reference.injectivity import exact_rank, is_injective_on_the_line, weakly_active
from unrelu import ReLULayer, Verdict, decide


def check_evidence(layer: ReLULayer, decision: unrelu.Decision) -> None:
    """A proof must hold without trusting who gave it."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    if decision.verdict == Verdict.NOT_INJECTIVE:
        assert exact_rank(weight[weakly_active(weight, bias, decision.witness)]) < layer.n
        collision = decision.collision
        assert collision.distance > 0
        output, original = layer.apply(collision.x), layer.apply(collision.original)
        difference, largest = np.abs(output - original).max(initial=0), original.max(initial=0)
        assert difference <= 1e-9 * (largest + np.abs(bias).max(initial=0) + 1e-300)
        assert collision.output_difference == (difference / largest if largest > 0 else difference)
    if decision.verdict == Verdict.INJECTIVE:
        assert exact_rank(weight[[i for i, _ in decision.pairs]]) == layer.n
        for i, j in decision.pairs:
            assert exact_rank(weight[[i, j]]) == 1
            # On the line through both rows, the points where neither is active would lie in between.
            k = np.flatnonzero(weight[i])[0]
            assert weight[i, k] * weight[j, k] < 0
            assert bias[i] / abs(weight[i, k]) + bias[j] / abs(weight[j, k]) >= -1e-12


numbers = st.integers(-4, 4).map(float)


@given(st.lists(st.tuples(numbers, numbers), min_size=0, max_size=6))
def test_never_wrong_on_the_line(rows):
    weight = np.array([[w] for w, _ in rows]).reshape(-1, 1)
    bias = np.array([b for _, b in rows])
    decision = decide(ReLULayer(weight, bias))
    truth = is_injective_on_the_line(weight, bias)
    if decision.verdict != Verdict.UNKNOWN:
        assert (decision.verdict == Verdict.INJECTIVE) == truth
    check_evidence(ReLULayer(weight, bias), decision)


@pytest.mark.parametrize("seed", range(60))
def test_evidence_holds_on_random_integer_layers(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 5)), int(rng.integers(0, 14))
    layer = ReLULayer(rng.integers(-2, 3, (m, n)).astype(float), rng.integers(-2, 3, m).astype(float))
    decision = decide(layer)
    check_evidence(layer, decision)
    if m < 2 * n:
        assert decision.verdict == Verdict.NOT_INJECTIVE


def test_the_bias_lemma_has_a_counterexample():
    # Injective although the rows with b >= 0 alone are not: one of the two rows is active on each side of 1.
    assert decide(ReLULayer([[1.0], [-1.0]], [-1.0, 1.0])).verdict == Verdict.INJECTIVE


def test_a_gap_between_opposite_rows_is_no_proof():
    assert decide(ReLULayer([[1.0], [-1.0]], [-1.0, 0.5])).verdict != Verdict.INJECTIVE


@pytest.mark.parametrize("scale", [2.0, 3.0, 2.0**-600, 2.0**600])
def test_scaled_opposite_pairs_cover(scale, rng):
    basis = rng.standard_normal((5, 5)).astype(np.float32).astype(float)
    layer = ReLULayer(np.vstack([basis, -scale * basis]))
    # A float32 number times 3 or a power of two is exact in float64, so the rows are exactly opposite.
    assert decide(layer).verdict == Verdict.INJECTIVE


def test_nearly_opposite_pairs_do_not_cover(rng):
    basis = rng.standard_normal((4, 4))
    other = -basis.copy()
    other[0, 0] = np.nextafter(other[0, 0], 9)
    decision = decide(ReLULayer(np.vstack([basis, other])))
    assert decision.verdict != Verdict.INJECTIVE


@pytest.mark.parametrize("redundancy", [1.0, 2.0, 2.5, 3.0])
def test_fresh_linear_layers_are_refuted(redundancy):
    torch.manual_seed(0)
    layer = ReLULayer.from_module(torch.nn.Linear(60, int(60 * redundancy)))
    decision = decide(layer)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert weakly_active(layer.dense().numpy(), layer.bias.numpy(), decision.witness).sum() < 60
    assert decision.collision.distance > 1e-6


def test_rank_deficient_and_zero_layers_are_refuted(rng):
    low = rng.integers(-3, 4, (40, 2)) @ rng.integers(-3, 4, (2, 4))
    assert decide(ReLULayer(low.astype(float))).verdict == Verdict.NOT_INJECTIVE
    assert decide(ReLULayer(np.zeros((3, 2)), np.ones(3))).verdict == Verdict.NOT_INJECTIVE


def test_unknown_says_what_was_tried(rng):
    decision = decide(ReLULayer(rng.standard_normal((200, 10))))
    assert decision.verdict == Verdict.UNKNOWN
    assert "no input" in decision.reason
