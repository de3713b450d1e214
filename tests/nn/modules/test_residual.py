"""Residual blocks that contract."""

import copy

import pytest
import torch
from torch import nn

from unrelu import Box, Verdict, decide, trace, verify
from unrelu.errors import ArgumentError
from unrelu.nn import (
    ContractiveResidual,
    InjectiveLinear,
    InjectiveSequential,
    smallest_ratio,
)


def dense(n: int, hidden: int, gain: float = 5.0) -> nn.Sequential:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(n, hidden), nn.ReLU(), nn.Linear(hidden, n)).double()
    with torch.no_grad():
        for parameter in inner.parameters():
            parameter.mul_(gain)
    return inner


def images(mode: str = "zeros") -> nn.Sequential:
    torch.manual_seed(0)
    first = nn.Conv2d(2, 6, 3, padding=1, padding_mode=mode, groups=2)
    return nn.Sequential(first, nn.ELU(), nn.Conv2d(6, 2, 3, padding=1)).double()


@pytest.mark.parametrize("constant", [0.1, 0.5, 0.9, 0.99])
def test_inverse_of_dense_blocks(constant):
    block = ContractiveResidual(dense(6, 20), constant)
    x = torch.randn(1000, 6, dtype=torch.float64)
    back = block.inverse(block(x)).detach()
    assert float(((back - x).norm(dim=1) / x.norm(dim=1)).max()) < 1e-12
    assert block.is_contraction() and block.lipschitz_bound() <= constant * (1 + 1e-6)
    assert smallest_ratio(block, x[:200]).ratio >= 1 - constant
    assert f"lipschitz={constant}" in repr(block)


def test_inverse_of_images():
    block = ContractiveResidual(images())
    x = torch.randn(20, 2, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(block.inverse(block(x)), x, rtol=1e-12, atol=1e-12)


def test_samples_of_different_sizes():
    """Each comes back as exactly as its own size allows."""
    block = ContractiveResidual(
        nn.Sequential(nn.Linear(4, 9, bias=False), nn.ReLU(), nn.Linear(9, 4, bias=False))
    )
    block = block.double()
    x = torch.randn(13, 4, dtype=torch.float64) * torch.logspace(-12, 12, 13).double()[:, None]
    back = block.inverse(block(x)).detach()
    assert float(((back - x).norm(dim=1) / x.norm(dim=1)).max()) < 1e-13
    torch.testing.assert_close(block.inverse(block(x[3])), x[3], rtol=1e-12, atol=0.0)


def test_float32():
    block = ContractiveResidual(dense(6, 20).float())
    x = torch.randn(1000, 6)
    back = block.inverse(block(x)).detach()
    assert float(((back - x).norm(dim=1) / x.norm(dim=1)).max()) < 1e-5


def test_small_norms_are_left_alone():
    block = ContractiveResidual(dense(4, 8, gain=0.1))
    x = torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(block(x), x + block.inner(x))


def test_stays_a_contraction_while_it_learns():
    block = ContractiveResidual(dense(4, 16, gain=1.0), 0.8)
    optimizer = torch.optim.SGD(block.parameters(), lr=1.0)
    x = torch.randn(100, 4, dtype=torch.float64)
    first = None
    for _ in range(30):
        optimizer.zero_grad()
        loss = (block(x) - x.flip(1)).square().mean()
        loss.backward()
        optimizer.step()
        first = float(loss.detach()) if first is None else first
    assert float(loss.detach()) < first and float(block.factor().detach()) < 1
    assert block.is_contraction()
    torch.testing.assert_close(block.inverse(block(x)), x)
    other = ContractiveResidual(dense(4, 16), 0.8)
    other.load_state_dict(block.state_dict())
    torch.testing.assert_close(copy.deepcopy(other)(x), block(x))


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (nn.Linear(4, 3), r"inner: expected outputs of shape \(2, 4\), got \(2, 3\)"),
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), "with a known Lipschitz bound, got LayerNorm"),
        (nn.Sequential(nn.Linear(4, 4), nn.Dropout()), "dropout in evaluation mode, got training mode"),
        (images("circular"), "expected a convolution that pads with zeros, got 'circular'"),
    ],
)
def test_bad_blocks_are_refused(inner, message):
    with pytest.raises(ArgumentError, match=message):
        ContractiveResidual(inner)(torch.zeros(2, 4))


@pytest.mark.parametrize("constant", [0.0, 1.0, 2.0])
def test_constants_out_of_range_are_refused(constant):
    with pytest.raises(ArgumentError, match="lipschitz: expected a number between 0 and 1"):
        ContractiveResidual(nn.Identity(), constant)


def test_decide_never_contradicts_a_contraction():
    verdicts = []
    for seed in range(2):
        torch.manual_seed(seed)
        inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).double()
        model = InjectiveSequential(ContractiveResidual(inner), input_shape=(2,))
        decision = model.decide(domain=Box(-1, 1), time_limit=20)
        assert decision.verdict != Verdict.NOT_INJECTIVE
        verdicts.append(decision.verdict)
        if decision.verdict == Verdict.INJECTIVE:
            assert verify(decision.certificate, trace(model, torch.zeros(1, 2).double())).valid
    assert Verdict.INJECTIVE in verdicts


@pytest.mark.parametrize(("slope", "verdict"), [(-2.0, Verdict.NOT_INJECTIVE), (3.0, Verdict.INJECTIVE)])
def test_blocks_that_do_not_contract_are_decided_by_their_regions(slope, verdict):
    """``x + relu(slope x)``: a fold, and a monotone function for all that its ``g`` is no contraction."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(1, 1, bias=False)
            nn.init.constant_(self.inner.weight, slope)

        def forward(self, x):
            return x + torch.relu(self.inner(x))

    assert decide(trace(Block(), torch.zeros(1, 1))).verdict == verdict


def test_what_speaks_for_open_blocks_is_told():
    """Where the proof knows no constant of a part, the verdict is open and the reason names the evidence."""
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(12, 30), nn.Softplus(), nn.Linear(30, 12))
    model = InjectiveSequential(InjectiveLinear(6, 12), nn.ReLU(), ContractiveResidual(inner, 0.5))
    assert model.lower_lipschitz() == pytest.approx(0.5 * model[0].lower_lipschitz(), rel=0.6)
    decision = model.decide(time_limit=1)
    assert decision.verdict == Verdict.UNKNOWN
    assert "its lower Lipschitz bound is 0." in decision.reason and "no certificate" in decision.reason


class Folded(nn.Module):
    """``x - s relu(W x)`` with an orthogonal ``W`` on both sides: a fold if ``s > 1``."""

    def __init__(self, n: int, s: float):
        super().__init__()
        basis = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0]
        self.first, self.second = nn.Parameter(basis), nn.Parameter(s * basis.T)

    def forward(self, x):
        return x - torch.relu(x @ self.first.T) @ self.second.T


@pytest.mark.parametrize(("s", "proved"), [(0.97, True), (1.0, False), (1.01, False), (-0.97, True)])
@pytest.mark.parametrize("n", [1, 12])
def test_the_constant_decides(n, s, proved):
    torch.manual_seed(0)
    net = trace(Folded(n, s), torch.zeros(1, n, dtype=torch.float64))
    decision = decide(net, time_limit=1)
    assert (decision.verdict == Verdict.INJECTIVE) == proved
    if proved:
        assert verify(decision.certificate, net).valid


@pytest.mark.parametrize("constant", [0.5, 0.95])
def test_large_dense_blocks_are_proved(constant):
    block = ContractiveResidual(dense(64, 256), constant)
    net = trace(block, torch.zeros(1, 64, dtype=torch.float64))
    decision = decide(net)
    assert decision.verdict == Verdict.INJECTIVE and decision.grade == "exact" and decision.seconds < 5
    assert verify(decision.certificate, net).valid


def test_blocks_on_images_are_proved_by_their_pixels():
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)).double()
    net = trace(ContractiveResidual(inner), torch.zeros(1, 3, 16, 16, dtype=torch.float64))
    decision = decide(net)
    assert decision.verdict == Verdict.INJECTIVE and decision.grade == "exact"
    assert decision.certificate.proofs[0].blocks is not None
    assert verify(decision.certificate, net).valid


def test_the_factor_is_a_constant_in_evaluation_mode():
    block = ContractiveResidual(dense(64, 256)).eval()
    exported = torch.export.export(block, (torch.zeros(1, 64, dtype=torch.float64),)).graph
    assert not any("norm" in str(node.target) for node in exported.nodes)
    with torch.no_grad():
        before = block.factor()
        assert block.factor() is before
        block.inner[0].weight.mul_(2)
        torch.testing.assert_close(block.factor(), before / 2)
        assert block.train().factor() is not block.factor()
