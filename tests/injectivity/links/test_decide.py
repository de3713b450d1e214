"""Networks that are proved injective link by link, and those that must not be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import unrelu
from tests.reference import networks as reference
from unrelu import Ball, Box, Orthant, Polytope, Verdict, decide, verify
from unrelu.certificates import LinksCertificate, NetworkInjectivityCertificate, from_json
from unrelu.injectivity import _network
from unrelu.nn import InjectiveLinear


class Residual(nn.Module):
    """``C x + B relu(A x + a)``, ``x`` instead of ``C x`` where that is not given."""

    def __init__(self, A, a, B, C=None):
        super().__init__()
        self.A, self.a, self.B = (torch.tensor(v, dtype=torch.float64) for v in (A, a, B))
        self.C = None if C is None else torch.tensor(C, dtype=torch.float64)

    def forward(self, x):
        kept = x if self.C is None else x @ self.C.T
        return kept + torch.relu(x @ self.A.T + self.a) @ self.B.T


class Pooled(nn.Module):
    """The largest entry and ``D x``, in a ReLU layer of opposite rows."""

    def __init__(self, D):
        super().__init__()
        self.D = torch.tensor(D, dtype=torch.float64)

    def forward(self, x):
        y = torch.cat([x.amax(dim=1, keepdim=True), x @ self.D.T], dim=1)
        return torch.relu(torch.cat([y, -y], dim=1))


class Beside(nn.Module):
    """``relu(C x)``, ``relu(-C x)`` and what a network makes of ``x``."""

    def __init__(self, C, inner):
        super().__init__()
        self.C, self.inner = torch.tensor(C, dtype=torch.float64), inner.double()

    def forward(self, x):
        y = x @ self.C.T
        return torch.relu(torch.cat([self.inner(x), y, -y], dim=1))


class Normed(nn.Module):
    """A normalisation of ``x``, beside ``L x``."""

    def __init__(self, norm, L=None):
        super().__init__()
        self.norm, self.L = norm.double(), None if L is None else torch.tensor(L, dtype=torch.float64)

    def forward(self, x):
        z = self.norm(x)
        y = z if self.L is None else torch.cat([z, x @ self.L.T], dim=1)
        return torch.relu(torch.cat([y, -y], dim=1))


def traced(model: nn.Module, n: int):
    return unrelu.trace(model.eval(), torch.arange(n, dtype=torch.float64)[None])


def check(decision, net) -> None:
    """The certificate is one of links, survives JSON, and is accepted together with the network."""
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert isinstance(decision.certificate, LinksCertificate)
    for rows in (True, False):
        found = verify(from_json(decision.certificate.to_json(rows=rows)), net)
        assert found.valid and found.grade == decision.grade


quarters = st.integers(-4, 4).map(lambda k: k / 4)


def matrices(m: int, n: int):
    return st.lists(st.lists(quarters, min_size=n, max_size=n), min_size=m, max_size=m)


@settings(max_examples=8, deadline=None)
@given(
    A=matrices(2, 2),
    a=st.lists(quarters, min_size=2, max_size=2),
    B=matrices(2, 2),
    C=st.sampled_from([None, [[2.0, 1.0], [0.0, -1.0]]]),
)
def test_residual_blocks_against_brute_force(A, a, B, C):
    """Whatever is said, by links or by linear regions, is what all pairs of sign patterns say."""
    net = traced(Residual(A, a, B, C), 2)
    domain = Box(-1, 1)
    decision = decide(net, domain, time_limit=5)
    chain = net.stacked()
    maps = [(layer.linear.dense().numpy(), layer.bias.numpy()) for layer in chain.layers]
    if chain.last is not None:
        maps.append((chain.last.dense().numpy(), chain.offset.numpy()))
    collides = reference.collide(maps, chain.last is None, *domain.inequalities(2))
    assert decision.verdict == (Verdict.NOT_INJECTIVE if collides else Verdict.INJECTIVE)
    assert verify(decision.certificate, net).valid


@settings(max_examples=20, deadline=None)
@given(D=st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=2, max_size=2))
def test_maxima_with_details_of_rank_two(D):
    """The kernel of the details is one direction: nothing hides if it raises all entries, or lowers all."""
    direction = np.cross(*np.array(D))
    net = traced(Pooled(D), 3)
    decision = decide(net, time_limit=0.1)
    assert (decision.verdict == Verdict.INJECTIVE) == bool(abs(np.sign(direction).sum()) == 3)
    if decision.verdict == Verdict.INJECTIVE:
        check(decision, net)


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        (None, "space"),
        (Box(-1, 1), "box"),
        (Ball(0.5, 2.0), "ball"),
        (Orthant(), "orthant"),
        (Polytope(-np.eye(3), np.ones(3)), "polytope"),
    ],
)
def test_domains(domain, kind):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, 3, 3)) / 3
    model = nn.Sequential(
        Residual(A, np.ones(3), B), Pooled([[1, -1, 0], [0, 1, -1]]), Beside(np.eye(6), nn.Linear(6, 2))
    )
    net = traced(model, 3)
    decision = decide(net, domain, time_limit=5)
    check(decision, net)
    assert decision.certificate.domain.kind == kind


@pytest.mark.parametrize(("rows", "proved"), [(4, True), (3, False)])
@pytest.mark.parametrize("inner", [nn.Softplus(), nn.ReLU()], ids=["opaque", "relu"])
def test_rows_that_read_the_input_alone(rows, proved, inner):
    """What else there is does not matter, unless it is needed."""
    torch.manual_seed(0)
    model = Beside(np.eye(4)[:rows] + 0.5, nn.Sequential(nn.Linear(4, 3), inner, nn.Linear(3, 20)))
    net = traced(model, 4)
    decision = decide(net, time_limit=1)
    assert (decision.verdict == Verdict.INJECTIVE) == proved
    if proved:
        check(decision, net)
        assert all(layer.verdict == Verdict.UNKNOWN for layer in decision.layers.values())


def test_what_is_missing_is_told():
    torch.manual_seed(0)
    net = traced(nn.Sequential(InjectiveLinear(3, 6).double(), nn.ReLU(), nn.Softplus()), 3)
    assert "nothing is known of 'exp'" in decide(net, time_limit=1).reason
    net = traced(Beside(np.eye(3)[:2], nn.Sequential(nn.Linear(3, 2), nn.Tanh())), 3)
    assert "not proved to be an injective layer" in decide(net, time_limit=1).reason

    class Covered(nn.Module):
        def forward(self, x):
            return torch.relu(x + torch.tanh(x))

    assert "alone" in decide(traced(Covered(), 3), time_limit=1).reason


MEAN = [[0.25, 0.25, 0.25, 0.25]]


@pytest.mark.parametrize(
    ("norm", "L", "given_"),
    [
        (nn.LayerNorm(4), None, {"means"}),
        (nn.LayerNorm(4), MEAN, set()),
        (nn.LayerNorm(4), [[1.0, 0.0, 0.0, 0.0]], set()),
        (nn.LayerNorm(4), [[1.0, -1.0, 0.0, 0.0]], {"means"}),
        (nn.LayerNorm(4, eps=0.0), None, {"statistics"}),
        (nn.LayerNorm(4, eps=0.0), MEAN, {"statistics"}),
        (nn.RMSNorm(4, eps=1e-5), None, set()),
    ],
)
def test_what_a_normalisation_forgets(norm, L, given_):
    torch.manual_seed(0)
    net = traced(Normed(norm, L), 4)
    decision = decide(net, time_limit=1)
    check(decision, net)
    assert set(decision.certificate.given.values()) == given_
    assert decision.given == tuple(decision.certificate.given)
    assert decision.reason.startswith("given the") == bool(given_)


def test_two_inputs_of_different_mean_or_scale():
    """With ``eps = 0`` scales are lost, with ``eps > 0`` only means: the statement is no more than that."""
    norm, kept = nn.LayerNorm(4, eps=0.0).double(), nn.LayerNorm(4, eps=1e-5).double()
    x = torch.tensor([[1.0, 2.0, 4.0, 8.0]], dtype=torch.float64)
    torch.testing.assert_close(norm(2 * x), norm(x), rtol=1e-14, atol=0)
    assert not torch.allclose(kept(2 * x), kept(x), rtol=1e-14, atol=0)
    torch.testing.assert_close(kept(x + 1), kept(x), rtol=1e-14, atol=1e-14)


def test_gains_of_zero_are_not_proved():
    norm = nn.LayerNorm(4)
    with torch.no_grad():
        norm.weight[2] = 0.0
    for L in (None, MEAN):
        decision = decide(traced(Normed(norm, L), 4), time_limit=1)
        assert decision.verdict == Verdict.UNKNOWN and "gain of 0" in decision.reason


def test_an_interrupt_keeps_the_layers(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_network, "decide_links", interrupted)
    decision = decide(traced(Pooled([[1, -1]]), 2))
    assert decision.verdict == Verdict.UNKNOWN and "interrupted" in decision.reason
    assert all(layer.verdict == Verdict.UNKNOWN for layer in decision.layers.values())


def test_layers_that_are_links_are_told():
    torch.manual_seed(0)
    model = nn.Sequential(
        InjectiveLinear(2, 6).double(), nn.ReLU(), Residual(np.eye(6) / 2, np.ones(6), np.eye(6))
    )
    net = traced(model, 2)
    decision = decide(net)
    check(decision, net)
    verdicts = [layer.verdict for layer in decision.layers.values()]
    assert list(decision.layers) == list(net)
    assert verdicts == [Verdict.INJECTIVE, Verdict.UNKNOWN]
    assert verify(decision.layers["0"].certificate, net).valid


def test_what_links_cannot_prove_is_left_to_the_chain():
    """Batch norm makes two links of the second layer, which is injective on images of the box only."""
    torch.manual_seed(0)
    norm, second = nn.BatchNorm1d(8), nn.Linear(8, 16)
    with torch.no_grad():
        norm.weight.fill_(3.0)
        second.weight.copy_(torch.cat([torch.eye(8) - 0.1, torch.eye(8)]))
        second.bias.fill_(100.0)
    model = nn.Sequential(InjectiveLinear(3, 8), nn.ReLU(), norm, second, nn.ReLU()).double()
    net = traced(model, 3)
    assert [len(link.parts) for link in net.links()] == [1, 1, 1]
    decision = decide(net, Box(-1, 1), time_limit=5)
    assert decision.verdict == Verdict.INJECTIVE and decision.grade == "float"
    assert isinstance(decision.certificate, NetworkInjectivityCertificate)
    assert verify(decision.certificate, net).valid
    with torch.no_grad():
        second.bias.fill_(-100.0)
    assert decide(traced(model, 3), Box(-1, 1), time_limit=1).verdict == Verdict.NOT_INJECTIVE


def test_refutations_come_first():
    """The first layer refutes what links would leave open, and so do too few maxima."""
    torch.manual_seed(0)
    net = traced(
        nn.Sequential(nn.Linear(4, 5).double(), nn.ReLU(), Residual(np.eye(5), np.ones(5), -np.eye(5))), 4
    )
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE and verify(decision.certificate, net).valid

    class Largest(nn.Module):
        def forward(self, x):
            return x.unflatten(1, (3, 4)).amax(dim=2)

    net = traced(nn.Sequential(InjectiveLinear(4, 12).double(), nn.ReLU(), Largest()), 4)
    decision = decide(net, time_limit=1)
    assert decision.verdict == Verdict.NOT_INJECTIVE and "only 3 numbers" in decision.reason
