"""Convolutions made injective, and kept so."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import unrelu
from unrelu import Verdict
from unrelu.errors import ArgumentError
from unrelu.nn import InjectiveConv2d, injective

CASES = {
    "1d": lambda: (nn.Conv1d(2, 9, 3, padding=1), (2, 8)),
    "2d": lambda: (nn.Conv2d(3, 8, 3, padding=1), (3, 6, 6)),
    "3d": lambda: (nn.Conv3d(1, 3, 3, padding=1), (1, 3, 4, 3)),
    "stride": lambda: (nn.Conv2d(1, 10, 3, stride=2, padding=1), (1, 6, 6)),
    "groups": lambda: (nn.Conv2d(4, 12, 3, padding=1, groups=2), (4, 5, 5)),
    "circular": lambda: (nn.Conv2d(2, 6, 3, padding=1, padding_mode="circular"), (2, 5, 5)),
    "dilation": lambda: (nn.Conv1d(2, 8, 3, padding=2, dilation=2), (2, 9)),
    "no bias": lambda: (nn.Conv2d(1, 4, 3, padding=1, bias=False), (1, 5, 5)),
    "float64": lambda: (nn.Conv2d(1, 4, 3, padding=1, dtype=torch.float64), (1, 5, 5)),
}


def network(case: str, condition: float | None) -> tuple[nn.Sequential, torch.Tensor]:
    torch.manual_seed(0)
    layer, shape = CASES[case]()
    x = torch.randn(16, *shape, dtype=layer.weight.dtype)
    return nn.Sequential(injective(layer, condition=condition), nn.ReLU(), nn.Flatten()), x


def trained(net: nn.Sequential, x: torch.Tensor) -> nn.Sequential:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    target = torch.randn_like(net(x).detach())
    for _ in range(15):
        optimizer.zero_grad()
        (net(x) - target).square().mean().backward()
        optimizer.step()
    return net


def affine(net: nn.Sequential, x: torch.Tensor) -> unrelu.ReLULayer:
    """Return the layer, without a detour where padding allows it: tracing takes longer than all else."""
    if net[0].padding_mode == "zeros":
        return unrelu.ReLULayer.from_module(net[0], tuple(x.shape[1:]))
    return unrelu.trace(net, x[:1])[0]


def is_proved(net: nn.Sequential, x: torch.Tensor) -> bool:
    layer = affine(net, x)
    decision = unrelu.decide(layer)
    return decision.verdict == Verdict.INJECTIVE and unrelu.verify(decision.certificate, layer).valid


@pytest.mark.parametrize("condition", [None, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_proved_at_once_and_when_trained(case, condition):
    net, x = network(case, condition)
    assert is_proved(net, x)
    trained(net, x)
    assert is_proved(net, x)
    pairs = net[0].parametrizations.weight[0]
    kernels = copy.deepcopy(net[0])
    for name in ("weight", "bias") if kernels.bias is not None else ("weight",):
        parametrize.remove_parametrizations(kernels, name)
    with torch.no_grad():
        others = np.setdiff1d(np.arange(kernels.out_channels), pairs.basis)
        kernels.weight[others] = 0
    rows = affine(nn.Sequential(kernels, nn.ReLU()), x).dense().numpy()
    singular = np.linalg.svd(rows, compute_uv=False)
    assert singular[-1] > 0
    assert singular[0] <= (condition or math.inf) * singular[-1] * (1 + 1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("condition", "bound"), [(None, None), (4.0, None), (4.0, 4.001)])
def test_a_valid_layer_is_kept_to_the_bit(dtype, condition, bound):
    torch.manual_seed(0)
    source = InjectiveConv2d(2, 7, 3, padding=1, condition=condition or 2.0, dtype=dtype)
    layer = nn.Conv2d(2, 7, 3, padding=1, dtype=dtype)
    order = torch.randperm(7)
    with torch.no_grad():
        layer.weight.copy_(source.weight[order])
        layer.bias.copy_(torch.randn(7, dtype=dtype).abs())
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    injective(layer, condition=bound)
    assert torch.equal(layer.weight, weight)
    assert torch.equal(layer.bias, bias)
    assert layer.parametrizations.weight[0].contains(weight)


def test_only_pairs_are_changed():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 9, 3, padding=1)
    weight = layer.weight.detach().clone()
    injective(layer)
    kept = (layer.weight == weight).flatten(1).all(dim=1)
    assert kept.sum() >= 5
    rows = layer.parametrizations.weight[0]
    window = layer.weight[rows.basis][:, :, 1, 1]
    assert torch.equal(window, weight[rows.basis][:, :, 1, 1])


def test_baked_copied_loaded_and_exported(tmp_path):
    net, x = network("2d", 3.0)
    trained(net, x)
    other = network("2d", 3.0)[0]
    other.load_state_dict(net.state_dict())
    before = net(x)
    for one in (other, copy.deepcopy(net), torch.export.export(net, (x,)).module()):
        assert torch.equal(one(x), before)
    torch.testing.assert_close(torch.compile(net, backend="aot_eager", fullgraph=True)(x), before)
    for name in ("weight", "bias"):
        parametrize.remove_parametrizations(net[0], name)
    assert type(net[0]) is nn.Conv2d
    assert torch.equal(net(x), before)
    path = tmp_path / "model.onnx"
    torch.onnx.export(net.eval(), (x[:1],), path, dynamo=True, external_data=False, verbose=False)
    layer = unrelu.trace(path)[0]
    decision = unrelu.decide(layer)
    assert decision.verdict == Verdict.INJECTIVE
    assert unrelu.verify(decision.certificate, layer).valid


def test_gradients_reach_what_is_shrunk():
    net, x = network("2d", None)
    net(x).square().mean().backward()
    rows = net[0].parametrizations.weight[0]
    gradient = net[0].parametrizations.weight.original.grad
    assert (gradient[rows.basis].flatten(1).abs().amin(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(3, 5, 3, padding=1), "weight: expected at least 2 n = 6 rows for n = 3, got 5"),
        (nn.Conv2d(1, 7, 3, stride=2, padding=1), "weight: expected at least 2 n = 8 rows for n = 4, got 7"),
        (nn.Conv1d(1, 8, 1, stride=2), "kernel_size: expected taps that read every input"),
        (nn.Conv1d(1, 4, 3, padding=1, padding_mode="reflect"), "padding_mode: expected one of zeros"),
    ],
)
def test_what_is_refused(module, message):
    with pytest.raises(ArgumentError, match=message):
        injective(module)
    assert not parametrize.is_parametrized(module)


def test_dependent_windows_are_refused():
    layer = nn.Conv2d(2, 6, 3, padding=1)
    with torch.no_grad():
        layer.weight[:, 1, 1, 1] = layer.weight[:, 0, 1, 1]
    with pytest.raises(ArgumentError, match="weight: expected rank n = 2, got 1 independent rows"):
        injective(layer)
