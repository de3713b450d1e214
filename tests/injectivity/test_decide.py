"""Verdicts of `decide` against exact references; witnesses and pairs are checked, not compared."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unrelu
from tests.reference.injectivity import exact_rank, is_injective_on_the_line, weakly_active
from unrelu import Ball, Box, Orthant, Polytope, ReLULayer, Sphere, Verdict, decide
from unrelu.errors import ArgumentError


def check_evidence(layer: ReLULayer, decision: unrelu.Decision) -> None:
    """A proof must hold without trusting who gave it."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    if decision.verdict == Verdict.UNKNOWN:
        assert decision.certificate is None and decision.grade == ""
        return
    checked = unrelu.verify(decision.certificate, layer)
    assert checked.valid, checked.reason
    assert checked.grade == decision.grade
    if decision.verdict == Verdict.NOT_INJECTIVE:
        witness = np.asarray(decision.certificate.x, dtype=float)
        assert exact_rank(weight[weakly_active(weight, bias, witness)]) < layer.n
        collision = decision.collision
        assert collision.distance > 0
        output, original = layer.apply(collision.x), layer.apply(collision.original)
        difference, largest = np.abs(output - original).max(initial=0), original.max(initial=0)
        assert difference <= 1e-9 * (largest + np.abs(bias).max(initial=0) + 1e-300)
        assert collision.output_difference == (difference / largest if largest > 0 else difference)
        assert unrelu.verify(collision.certificate, layer).valid


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
    assert decide(ReLULayer(np.vstack([basis, other]))).verdict == Verdict.NOT_INJECTIVE


@pytest.mark.parametrize("redundancy", [1.0, 2.0, 2.5, 3.0])
def test_fresh_linear_layers_are_refuted(redundancy):
    torch.manual_seed(0)
    layer = ReLULayer.from_module(torch.nn.Linear(60, int(60 * redundancy)))
    decision = decide(layer)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert weakly_active(layer.dense().numpy(), layer.bias.numpy(), decision.certificate.x).sum() < 60
    assert decision.collision.distance > 1e-6


def test_rank_deficient_and_zero_layers_are_refuted(rng):
    low = rng.integers(-3, 4, (40, 2)) @ rng.integers(-3, 4, (2, 4))
    assert decide(ReLULayer(low.astype(float))).verdict == Verdict.NOT_INJECTIVE
    assert decide(ReLULayer(np.zeros((3, 2)), np.ones(3))).verdict == Verdict.NOT_INJECTIVE


def test_unknown_says_what_was_tried(rng):
    decision = decide(ReLULayer(rng.standard_normal((400, 40))), time_limit=0.2)
    assert decision.verdict == Verdict.UNKNOWN
    assert "no input" in decision.reason and "the time is up" in decision.reason


@pytest.mark.parametrize("general_position", [None, True, False])
def test_redundant_gaussian_layers_are_injective(general_position, rng):
    layer = ReLULayer(rng.standard_normal((40, 4)))
    decision = decide(layer, assume_general_position=general_position)
    assert decision.verdict == Verdict.INJECTIVE
    assert decision.grade == ("exact-general-position" if general_position else "exact")
    check_evidence(layer, decision)


BASIS = np.array([[2.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("domain", "verdict"),
    [
        (None, Verdict.NOT_INJECTIVE),
        (Box(-1, 1), Verdict.INJECTIVE),  # both rows are active there
        (Box(-9, 9), Verdict.NOT_INJECTIVE),
        (Orthant(), Verdict.INJECTIVE),
        (Ball(0.0, 1.0), Verdict.INJECTIVE),
        (Ball([-4.0, -4.0], 1.0), Verdict.NOT_INJECTIVE),
        (Polytope(np.eye(2), [0.0, 0.0]), Verdict.NOT_INJECTIVE),
        (Polytope(-np.eye(2), [1.0, 1.0]), Verdict.INJECTIVE),
    ],
)
def test_domains(domain, verdict):
    layer = ReLULayer(BASIS, [5.0, 5.0])
    decision = decide(layer, domain)
    assert decision.verdict == verdict
    check_evidence(layer, decision)
    if decision.collision is not None and domain is not None:
        assert domain.contains(decision.collision.x) and domain.contains(decision.collision.original)


def test_a_ball_where_the_box_around_it_does_not_tell(rng):
    # Active on the ball, inactive in a corner of the box around it.
    weight = np.vstack([np.eye(2), [[-1.0, -1.0]]])
    layer = ReLULayer(weight, [0.8, 0.8, 1.45])
    decision = decide(layer, Ball(0.0, 1.0), time_limit=2.0)
    check_evidence(layer, decision)
    assert decision.verdict != Verdict.NOT_INJECTIVE


def test_convolutions_are_decided_by_their_windows():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(1, 12, 2)
    layer = ReLULayer.from_module(conv, input_shape=(1, 5, 5))
    decision = decide(layer, time_limit=20)
    assert decision.verdict != Verdict.UNKNOWN
    check_evidence(layer, decision)


def network(*modules, n):
    return unrelu.trace(torch.nn.Sequential(*modules), torch.zeros(1, n))


def test_networks_of_injective_layers():
    torch.manual_seed(0)
    relu, injective = torch.nn.ReLU, unrelu.nn.InjectiveLinear
    decision = decide(network(injective(3, 8), relu(), injective(8, 20), relu(), n=3))
    assert decision.verdict == Verdict.INJECTIVE
    assert [one.verdict for one in decision.layers.values()] == [Verdict.INJECTIVE] * 2
    narrow = network(injective(3, 8), relu(), torch.nn.Linear(8, 2), n=3)
    decision = decide(narrow, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert "outputs cannot tell" in decision.reason or "neurons of layer" in decision.reason
    assert decision.collision.output_difference <= 1e-9


def test_the_first_layer_refutes_a_network():
    torch.manual_seed(0)
    decision = decide(network(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 9), n=6))
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert "first layer" in decision.reason and decision.collision.distance > 0


def test_later_layers_on_the_image_of_the_box():
    # All rows of the second layer are active on what the first one lets through.
    torch.manual_seed(0)
    second = torch.nn.Linear(8, 8)
    with torch.no_grad():
        second.weight.copy_(torch.eye(8) - 0.1)
        second.bias.fill_(100.0)
    net = network(unrelu.nn.InjectiveLinear(3, 8), torch.nn.ReLU(), second, torch.nn.ReLU(), n=3)
    assert decide(net, Box(-1, 1)).verdict == Verdict.INJECTIVE
    decision = decide(net, time_limit=2)  # far out they are not
    assert decision.verdict == Verdict.NOT_INJECTIVE and "neurons of layer '2'" in decision.reason


def test_an_open_layer_is_named():
    torch.manual_seed(0)
    net = network(
        unrelu.nn.InjectiveLinear(4, 10), torch.nn.ReLU(), torch.nn.Linear(10, 24), torch.nn.ReLU(), n=4
    )
    decision = decide(net, Box(-1, 1), time_limit=2)
    assert decision.verdict == Verdict.UNKNOWN
    assert decision.reason.startswith("layer '2'") and decision.layers["2"].verdict == Verdict.NOT_INJECTIVE


class Smooth(torch.nn.Module):
    """A function that is no ReLU, added to its input."""

    def __init__(self):
        super().__init__()
        self.first = unrelu.nn.InjectiveLinear(3, 8)
        self.second = torch.nn.Linear(8, 8)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return hidden + torch.nn.functional.softplus(self.second(hidden))


def test_no_chain_is_open_unless_the_first_layer_refutes_it():
    decision = decide(unrelu.trace(Smooth(), torch.zeros(1, 3)), time_limit=2)
    assert decision.verdict == Verdict.UNKNOWN and "nothing is known of" in decision.reason


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"time_limit": 0}, "time_limit"),
        ({"time_limit": np.nan}, "time_limit"),
        ({"domain": Sphere(1.0)}, "convex"),
        ({"domain": "box"}, "domain"),
        ({"domain": Box(np.zeros(3), np.ones(3))}, "3"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments(arguments, told):
    with pytest.raises(ArgumentError, match=told):
        decide(ReLULayer(BASIS), **arguments)


def test_an_interrupt_keeps_what_is_decided(monkeypatch):
    from unrelu.injectivity import _layer

    torch.manual_seed(0)
    net = network(
        unrelu.nn.InjectiveLinear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 70), torch.nn.ReLU(), n=3
    )

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_layer, "search", interrupted)
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.UNKNOWN and "interrupted at layer '2'" in decision.reason
    first, second = decision.layers.values()
    assert first.verdict == Verdict.INJECTIVE and not first.interrupted
    assert second.verdict == Verdict.UNKNOWN and second.interrupted


def test_no_layer():
    with pytest.raises(ArgumentError, match="expected a ReLULayer or a Network"):
        decide(BASIS)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((0, 2)),
        np.zeros((5, 2)),
        np.array([[1.0], [-1.0], [5e-324], [-5e-324]]),
        np.array([[1e308, 1e308], [-1e308, -1e308], [1e308, -1e308], [-1e308, 1e308]]),
        np.repeat([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], 3, axis=0),
        np.array([[2.0**-1070, 1.0], [-(2.0**-1070), -1.0], [1.0, 0.0], [-1.0, 0.0]]),
    ],
)
def test_degenerate_layers(rows):
    layer = ReLULayer(rows)
    decision = decide(layer, time_limit=5)
    check_evidence(layer, decision)
    expected = Verdict.INJECTIVE if rows.any() else Verdict.NOT_INJECTIVE
    assert decision.verdict == expected
