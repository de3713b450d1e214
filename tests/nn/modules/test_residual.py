"""Residual blocks that contract, and skips that keep their input."""

import copy

import pytest
import torch
from torch import nn

from unrelu import Box, Verdict, decide, trace, verify
from unrelu.errors import ArgumentError
from unrelu.nn import (
    ConcatenatingSkip,
    ContractiveResidual,
    InjectiveLinear,
    InjectiveSequential,
    PairedSkip,
    smallest_ratio,
)
from unrelu.nn.modules._lipschitz_bound import lipschitz_bound


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
    "module",
    [
        nn.Linear(5, 7),
        nn.Conv1d(2, 3, 3, stride=2, padding=1, dilation=2),
        nn.Conv2d(4, 6, (3, 2), groups=2),
        nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(-2.0), nn.PReLU(init=3.0), nn.ELU(2.0), nn.Sigmoid()),
        nn.Sequential(
            nn.Linear(4, 9), nn.Tanh(), nn.Dropout(), nn.Unflatten(1, (3, 3)), nn.Softplus()
        ).eval(),
    ],
)
def test_bounds_hold(module):
    """No pair of points is moved apart by more, in any direction that maximises it either."""
    torch.manual_seed(0)
    module = module.double()
    shape = {nn.Linear: (5,), nn.Conv1d: (2, 9), nn.Conv2d: (4, 5, 5)}.get(type(module), (4,))
    x, direction = torch.randn(2, 30, *shape, dtype=torch.float64)
    with torch.no_grad():
        bound = float(lipschitz_bound(module))
        for _ in range(20):
            slope, back = torch.func.vjp(module, x)
            moved = module(x + 1e-6 * direction) - slope
            ratio = moved.flatten(1).norm(dim=1) / (1e-6 * direction).flatten(1).norm(dim=1)
            assert bool((ratio <= bound * (1 + 1e-6)).all())
            direction = back(moved)[0]
            direction /= direction.flatten(1).norm(dim=1).clamp(min=1e-300).reshape(-1, *(1,) * len(shape))


def test_bounds_of_dense_layers_are_tight():
    layer = nn.Linear(30, 50).double()
    exact = float(torch.linalg.matrix_norm(layer.weight.detach(), 2))
    assert exact <= float(lipschitz_bound(layer.requires_grad_(False))) < 1.25 * exact


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
    for seed in range(3):
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


@pytest.mark.parametrize("shape", [(4,), (4, 3, 3)])
def test_skips(shape):
    torch.manual_seed(0)
    make = nn.Linear if len(shape) == 1 else lambda n, m: nn.Conv2d(n, m, 3, padding=1)
    x = torch.randn(10, *shape)
    skip, paired = ConcatenatingSkip(make(4, 3), 4), PairedSkip(make(4, 3), 4)
    assert skip(x).shape == (10, 7, *shape[1:]) and paired(x).shape == (10, 11, *shape[1:])
    assert torch.equal(skip.inverse(skip(x)), x)
    assert torch.equal(paired.inverse(torch.relu(paired(x))), x)
    assert "features=4" in repr(skip) and "features=4" in repr(paired)
    with pytest.raises(ArgumentError, match="y: expected at least 8 entries along axis 1"):
        paired.inverse(x)
    with pytest.raises(ArgumentError, match="features: expected a whole number"):
        ConcatenatingSkip(make(4, 3), 0)


def test_the_bound_of_paired_skips_is_attained():
    """A pair of inputs of opposite sign, and a ``g`` that says nothing."""
    paired = PairedSkip(nn.Linear(1, 1, bias=False), 1)
    nn.init.zeros_(paired.inner.weight)
    found = smallest_ratio(
        lambda x: torch.relu(paired(x)), torch.tensor([[1.0], [-1.0], [3.0]]).double().float()
    )
    assert found.ratio == pytest.approx(paired.lower_lipschitz())


def test_sequences_of_skips_and_blocks_go_both_ways():
    torch.manual_seed(0)
    modules = [
        PairedSkip(nn.Sequential(nn.Linear(3, 5), nn.Tanh()), 3),
        nn.ReLU(),
        ConcatenatingSkip(nn.Linear(11, 4), 11),
        ContractiveResidual(nn.Sequential(nn.Linear(15, 9), nn.ReLU(), nn.Linear(9, 15))),
        InjectiveLinear(15, 30),
        nn.ReLU(),
    ]
    model = InjectiveSequential(*modules, input_shape=(3,)).double()
    x = torch.randn(100, 3, dtype=torch.float64)
    found = model.invert(model(x))
    torch.testing.assert_close(found.x, x, rtol=1e-11, atol=1e-11)
    assert float(found.residual.max()) < 1e-12
    with pytest.raises(ArgumentError, match=r"module '0' \(ConcatenatingSkip\): expected an injective layer"):
        InjectiveSequential(ConcatenatingSkip(nn.Linear(2, 2), 2), nn.ReLU())


def test_skips_behind_a_relu_are_decided():
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    model = InjectiveSequential(InjectiveLinear(3, 8), nn.ReLU(), ConcatenatingSkip(inner, 8))
    decision = model.decide(time_limit=10)
    assert decision.verdict == Verdict.INJECTIVE
    assert verify(decision.certificate, trace(model, torch.zeros(1, 3))).valid


def test_what_speaks_for_large_blocks_is_told():
    """Where regions are too many, the verdict is open and the reason names the evidence."""
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(12, 30), nn.ReLU(), nn.Linear(30, 12))
    model = InjectiveSequential(InjectiveLinear(6, 12), nn.ReLU(), ContractiveResidual(inner, 0.5))
    assert model.lower_lipschitz() == pytest.approx(0.5 * model[0].lower_lipschitz(), rel=0.6)
    decision = model.decide(time_limit=1)
    assert decision.verdict == Verdict.UNKNOWN
    assert "its lower Lipschitz bound is 0." in decision.reason and "no certificate" in decision.reason
