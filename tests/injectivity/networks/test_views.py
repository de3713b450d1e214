"""Networks with skip connections, normalisations and pooling."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.reference import networks as reference
from unrelu import Box, Verdict, decide, verify
from unrelu.injectivity._bounds import normalised
from unrelu.layers import Normalisation


class Blocks(nn.Module):
    """Residual blocks of whole numbers, and a sum at the end."""

    def __init__(self, rng, n: int, hidden: int, outputs: int):
        super().__init__()
        self.maps = nn.ModuleList()
        for _ in range(2):
            self.maps += [_whole(rng, n, hidden), _whole(rng, hidden, n, bias=False)]
        self.last = _whole(rng, n, outputs)

    def forward(self, x):
        for first, second in zip(self.maps[::2], self.maps[1::2], strict=True):
            x = x + second(torch.relu(first(x)))
        return self.last(x)


def _whole(rng, n: int, m: int, *, bias: bool = True) -> nn.Linear:
    made = nn.Linear(n, m, bias=bias)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(rng.integers(-2, 3, (m, n)) / 2))
        if bias:
            made.bias.copy_(torch.from_numpy(rng.integers(-2, 3, m) / 2))
    return made


def test_residual_networks_on_the_line():
    """A continuous function on an interval is injective if and only if it is strictly monotone."""
    rng = np.random.default_rng(0)
    grid = np.arange(-2, 2 + 2**-6, 2**-6)[:, None]
    verdicts = []
    for _ in range(12):
        net = unrelu.trace(Blocks(rng, 1, 2, 1), torch.zeros(1, 1))
        decision = decide(net, Box(-2, 2), time_limit=10)
        steps = np.diff(net.forward(grid)[:, 0])
        monotone = bool((steps > 0).all() or (steps < 0).all())
        verdicts.append(decision.verdict)
        found = verify(decision.certificate, net)
        assert found.valid and found.grade == decision.grade
        assert monotone or decision.verdict == Verdict.NOT_INJECTIVE
    assert Verdict.UNKNOWN not in verdicts
    assert min(verdicts.count(Verdict.INJECTIVE), verdicts.count(Verdict.NOT_INJECTIVE)) > 2


def test_residual_networks_in_the_plane():
    """Against all pairs of sign patterns of the chain that passes on what skips its layers."""
    rng = np.random.default_rng(1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = _whole(rng, 2, 2)

        def forward(self, x):
            return x + torch.relu(self.inner(x))

    verdicts = []
    for _ in range(6):
        net = unrelu.trace(Block(), torch.zeros(1, 2))
        decision = decide(net, Box(-1, 1), time_limit=10)
        chain = net.stacked()
        maps = [(layer.linear.dense().numpy(), layer.bias.numpy()) for layer in chain.layers] + [
            (chain.last.dense().numpy(), chain.offset.numpy())
        ]
        collides = reference.collide(maps, False, *Box(-1, 1).inequalities(2))
        assert decision.verdict == (Verdict.NOT_INJECTIVE if collides else Verdict.INJECTIVE)
        verdicts.append(decision.verdict)
    assert len(set(verdicts)) == 2


def test_skipped_layers_are_passed_on():
    """A dense block keeps its input: injective, whatever the layer behind it is."""

    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = unrelu.nn.InjectiveLinear(12, 30), nn.Linear(30, 5)

        def forward(self, x):
            hidden = torch.relu(self.first(x))
            return torch.cat([hidden, torch.relu(self.second(hidden))], dim=1)

    net = unrelu.trace(Joined(), torch.zeros(1, 12))
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.INJECTIVE
    assert decision.layers["first"].verdict == Verdict.INJECTIVE
    assert decision.layers["second"].verdict == Verdict.UNKNOWN
    assert "links that it belongs to" in decision.layers["second"].reason
    assert verify(decision.certificate, net).valid


def test_an_open_layer_is_named_with_what_skips_it():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = unrelu.nn.InjectiveLinear(10, 24), nn.Linear(24, 24)
            self.third = nn.Linear(24, 60)

        def forward(self, x):
            hidden = torch.relu(self.first(x))
            return torch.relu(self.third(hidden + torch.relu(self.second(hidden))))

    decision = decide(unrelu.trace(Wide(), torch.zeros(1, 10)), Box(-1, 1), time_limit=1)
    assert decision.verdict == Verdict.UNKNOWN
    assert decision.reason.startswith("layer 'third' with what skips it")
    assert "linear regions" in decision.reason


def normed(norm, *, behind=True):
    torch.manual_seed(0)
    modules = [unrelu.nn.InjectiveLinear(3, 8), nn.ReLU(), norm, unrelu.nn.InjectiveLinear(8, 20), nn.ReLU()]
    return unrelu.trace(nn.Sequential(*(modules if behind else modules[:3])), torch.zeros(1, 3))


@pytest.mark.parametrize(
    "norm", [nn.LayerNorm(8), nn.LayerNorm(8, elementwise_affine=False), nn.GroupNorm(2, 8)]
)
@pytest.mark.parametrize("behind", [True, False])
def test_given_means(norm, behind):
    net = normed(norm, behind=behind)
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.INJECTIVE and verify(decision.certificate, net).valid
    assert len(decision.given) == 1 and decision.given[0] in {s.name for s in net.steps}
    assert decision.certificate.given == {decision.given[0]: "means"}
    assert decision.reason.startswith(f"given the means of {decision.given[0]!r}: all links")


def test_a_gain_of_zero_forgets():
    norm = nn.LayerNorm(8)
    with torch.no_grad():
        norm.weight[3] = 0.0
    decision = decide(normed(norm), time_limit=5)
    assert decision.verdict == Verdict.UNKNOWN and "a gain of 0" in decision.reason
    assert decision.given == ()


def test_layers_behind_a_normalisation_are_decided_on_its_outputs():
    """The rows of the second layer are active on all outputs of the normalisation, not everywhere."""
    second = nn.Linear(8, 8)
    with torch.no_grad():
        second.weight.copy_(torch.eye(8))
        second.bias.fill_(3.0)  # sqrt(8) is less
    modules = [unrelu.nn.InjectiveLinear(3, 8), nn.ReLU(), nn.LayerNorm(8), second, nn.ReLU()]
    net = unrelu.trace(nn.Sequential(*modules), torch.zeros(1, 3))
    assert decide(net).verdict == Verdict.INJECTIVE
    with torch.no_grad():
        second.bias.fill_(2.5)
    decision = decide(unrelu.trace(nn.Sequential(*modules), torch.zeros(1, 3)), time_limit=2)
    assert decision.verdict == Verdict.UNKNOWN and "layer '3'" in decision.reason


def test_the_first_layer_refutes_also_with_normalisations():
    torch.manual_seed(0)
    modules = [nn.Linear(6, 7), nn.ReLU(), nn.LayerNorm(7), nn.Linear(7, 30), nn.ReLU()]
    net = unrelu.trace(nn.Sequential(*modules), torch.zeros(1, 6))
    decision = decide(net, time_limit=5)
    assert decision.verdict == Verdict.NOT_INJECTIVE and verify(decision.certificate, net).valid


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.LayerNorm([4, 5]), (6, 4, 5)),
        (nn.GroupNorm(3, 6), (6, 4)),
        (nn.InstanceNorm1d(6, affine=True), (6, 4)),
    ],
)
def test_boxes_of_normalisations_hold_their_outputs(norm, shape, rng):
    with torch.no_grad():
        norm.weight.copy_(torch.from_numpy(rng.standard_normal(norm.weight.shape)))
        norm.bias.copy_(torch.from_numpy(rng.standard_normal(norm.bias.shape)))
    net = unrelu.trace(nn.Sequential(nn.ReLU(), norm), torch.zeros(1, *shape))
    found = next(step.normalisation for step in net.steps if step.normalisation is not None)
    box = normalised(found)
    spikes = np.eye(int(np.prod(shape))).reshape(-1, *shape) * 1e6
    for x in (spikes, rng.standard_normal((50, *shape)) ** 3):
        outputs = net.forward(np.abs(x)).reshape(len(x), -1)
        assert box.contains(outputs).all()
        gain, offset = found.gain.numpy(), found.offset.numpy()
        assert np.abs((outputs - offset) / gain).max() <= np.sqrt(found.count)
    assert np.abs((net.forward(spikes).reshape(len(spikes), -1) - offset) / gain).max() > 0.8 * np.sqrt(
        found.count - 1
    )


def test_gain_and_offset_by_entry():
    found = Normalisation.of((1, 2, 3), torch.tensor([[2.0], [3.0]]), None, 3, 1e-5)
    assert found.gain.tolist() == [2, 2, 2, 3, 3, 3] and found.offset.tolist() == [0] * 6


def pooled(size: int, *modules):
    torch.manual_seed(0)
    parts = [
        unrelu.nn.InjectiveLinear(4, 12),
        nn.ReLU(),
        nn.Unflatten(1, (1, 12)),
        nn.MaxPool1d(size),
        *modules,
    ]
    return unrelu.trace(nn.Sequential(*parts), torch.zeros(1, 4))


def test_pooling_to_fewer_numbers_refutes():
    decision = decide(pooled(4, nn.Flatten(), nn.Linear(3, 9), nn.ReLU()), time_limit=2)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert "only 3 numbers are left of 4 inputs" in decision.reason
    flat = Box(np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4))
    assert decide(pooled(4, nn.Flatten(), nn.Linear(3, 9), nn.ReLU()), flat).verdict == Verdict.UNKNOWN


def test_wide_pooling_is_open():
    decision = decide(pooled(2), time_limit=2)
    assert decision.verdict == Verdict.UNKNOWN and "max_pool" in decision.reason


def test_indices_are_no_continuous_function():
    class Indices(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = unrelu.nn.InjectiveLinear(4, 12)

        def forward(self, x):
            hidden = torch.relu(self.first(x))[:, None, None]
            values, places = nn.functional.max_pool2d(hidden, (1, 4), return_indices=True)
            return values.sum(dim=(1, 2)) + places.sum(dim=(1, 2))

    decision = decide(unrelu.trace(Indices(), torch.zeros(1, 4)), time_limit=2)
    assert decision.verdict == Verdict.UNKNOWN


def test_average_pooling_is_affine():
    torch.manual_seed(0)
    modules = [unrelu.nn.InjectiveLinear(2, 12), nn.ReLU(), nn.Unflatten(1, (1, 12)), nn.AvgPool1d(2)]
    net = unrelu.trace(nn.Sequential(*modules), torch.zeros(1, 2))
    decision = decide(net, Box(-1, 1), time_limit=20)
    assert decision.verdict != Verdict.UNKNOWN and verify(decision.certificate, net).valid
