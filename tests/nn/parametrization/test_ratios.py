"""Layers with opposite rows whose ratio is no power of two: kept to the bit, and opposite ever after."""

import copy
import io
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import unrelu
from tests.nn.parametrization.training import bake, is_kept_by_onnx, is_proved, trained
from tests.reference.pairing import ratio, spans
from unrelu.nn import injective

DTYPES = [torch.float32, torch.float64]
RATIOS = [(3, 5), (1, 3), (7, 12), (1, 1)]


def proved(module: nn.Linear) -> bool:
    return is_proved(unrelu.ReLULayer(module.weight, module.bias))


def valid_rows(n: int, dtype: torch.dtype, ratios: list[tuple[int, int]] = RATIOS) -> torch.Tensor:
    """Return rows ``p u`` and ``-q u``, shape ``(2, n, n)``."""
    U = torch.randn(n, n).to(torch.float16 if dtype != torch.bfloat16 else torch.float8_e4m3fn).double()
    p, q = torch.tensor([ratios[i % len(ratios)] for i in range(n)], dtype=torch.float64).T[..., None]
    return torch.stack([p * U, -q * U]).to(dtype)


def valid_linear(seed: int, n: int, free: int, dtype: torch.dtype, ratios=RATIOS) -> nn.Linear:
    torch.manual_seed(seed)
    linear = nn.Linear(n, 2 * n + free, dtype=dtype)
    order = torch.randperm(2 * n + free)
    with torch.no_grad():
        linear.weight[: 2 * n] = valid_rows(n, dtype, ratios).flatten(0, 1)
        linear.weight.copy_(linear.weight[order])
        linear.bias.copy_(torch.randn(2 * n + free).abs())
    return linear


def model(dtype: torch.dtype = torch.float32, seed: int = 0, **options) -> nn.Sequential:
    layer = injective(valid_linear(seed, 4, 3, dtype), **options)
    return nn.Sequential(layer, nn.ReLU(), nn.Linear(11, 3, dtype=dtype))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(0, 4),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=4),
)
def test_a_valid_weight_is_kept_and_opposite_when_changed(seed, n, free, dtype, ratios):
    linear = valid_linear(seed, n, free, dtype, ratios)
    weight, bias = linear.weight.detach().clone(), linear.bias.detach().clone()
    if spans(weight.double().numpy()) < n:
        return
    layer = injective(linear)
    rows = layer.parametrizations.weight[0]
    assert torch.equal(layer.weight, weight) and rows.contains(weight)
    assert torch.equal(layer.bias, bias)
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn_like(weight) / 8)
        layer.parametrizations.bias.original.sub_(torch.rand_like(bias))
    changed, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double()
    assert not np.array_equal(changed, weight.double())
    for row in np.flatnonzero(rows.source.numpy() != np.arange(len(weight))):
        source = int(rows.source[row])
        d = ratio(changed[source], changed[row])
        assert d == Fraction(float(-rows.factor[row])) / Fraction(float(rows.factor[source]))
        assert Fraction(float(bias[row])) >= -d * Fraction(float(bias[source]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rows_with_one_entry_are_kept_whatever_their_ratio(dtype):
    torch.manual_seed(0)
    linear = nn.Linear(5, 10, dtype=dtype)
    with torch.no_grad():
        one, other = torch.rand(2, 5, dtype=dtype) + 0.1
        linear.weight.copy_(torch.cat([torch.diag(one), -torch.diag(other)]))
    weight = linear.weight.detach().clone()
    layer = injective(linear)
    assert torch.equal(layer.weight, weight)
    assert proved(layer)
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn_like(weight))
    assert proved(layer)


@pytest.mark.parametrize("condition", [None, 6.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_proved_when_trained_and_loaded_and_traced(dtype, condition):
    net = trained(model(dtype, condition=condition))
    assert proved(net[0])
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    other = trained(model(dtype, seed=3, condition=condition), steps=3)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue())))
    x = torch.randn(4, 4, dtype=dtype)
    assert torch.equal(other(x), net(x))
    assert proved(trained(other, 3)[0])
    assert is_proved(unrelu.trace(other, x)[0])


def test_loaded_where_other_rows_were_pairs():
    torch.manual_seed(1)
    net = trained(model())
    plain = injective(nn.Linear(4, 11))
    assert "digits=24" in repr(plain)
    plain.load_state_dict(net[0].state_dict())
    assert "digits=21" in repr(plain)
    assert torch.equal(plain.weight, net[0].weight)
    assert torch.equal(plain.bias, net[0].bias)


def test_loaded_into_memory_that_was_not_filled():
    net = trained(model())
    other = model(seed=5)
    other.to_empty(device="cpu")
    with torch.no_grad():
        rows = other[0].parametrizations.weight[0]
        rows.source.fill_(10**9)
        rows.factor.fill_(-torch.nan)
    other.float().load_state_dict(net.state_dict())
    assert torch.equal(other[0].weight, net[0].weight)


@pytest.mark.parametrize("dtype", DTYPES)
def test_written_as_onnx(dtype, tmp_path):
    assert is_kept_by_onnx(trained(model(dtype)), tmp_path / "model.onnx")


def test_baked_copied_compiled_and_exported():
    net = trained(model())
    x = torch.randn(4, 4)
    expected = net(x)
    assert torch.equal(copy.deepcopy(net)(x), expected)
    for backend in ("eager", "aot_eager"):
        torch.testing.assert_close(torch.compile(net, backend=backend, fullgraph=True)(x), expected)
    for strict in (False, True):
        torch.testing.assert_close(torch.export.export(net, (x,), strict=strict).module()(x), expected)
    assert type(bake(net[0])) is nn.Linear
    assert torch.equal(net(x), expected)
    assert proved(net[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_taken_to_another_type(dtype):
    net = trained(model()).to(dtype)
    assert proved(net[0])
    assert net[0].parametrizations.weight[0].digits == {torch.float64: 50, torch.bfloat16: 5}.get(dtype, 8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_condition_holds_up_to_rounding(dtype):
    net = model(dtype, condition=5.0)
    rows = net[0].parametrizations.weight[0]
    for _ in range(3):
        sigma = torch.linalg.svdvals(net[0].weight[rows.basis].detach().double())
        assert sigma[0] / sigma[-1] <= 5 * (1 + 1000 * torch.finfo(dtype).eps)
        trained(net, 10)


def test_gradients_reach_what_is_rounded():
    net = model(torch.float64)
    x = torch.randn(200, 4, dtype=torch.float64)
    labels = x[:, :3].argmax(dim=1)
    optimizer = torch.optim.Adam([net[0].parametrizations.weight.original], lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("condition", [None, 4.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_channels(dtype, condition):
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 7, 3, padding=1, dtype=dtype)
    taps = torch.randn(2, 2, 3, 3) / 16
    taps[:, :, 1, 1] = torch.tensor([[1.0, 0.25], [-0.25, 1.0]])
    taps = taps.half().to(dtype)
    with torch.no_grad():
        layer.weight[:4] = torch.cat([3 * taps, taps * torch.tensor([[-5.0], [-7.0]])[..., None, None]])
        layer.weight.copy_(layer.weight[torch.randperm(7)])
        layer.bias.copy_(torch.randn(7, dtype=dtype).abs())
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    injective(layer, condition=condition)
    assert torch.equal(layer.weight, weight) or condition is not None
    assert torch.equal(layer.bias, bias)
    x = torch.randn(8, 2, 5, 5, dtype=dtype)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        (torch.relu(layer(x)).square().mean() - layer.weight[..., 0, 0].square().mean()).backward()
        optimizer.step()
        assert is_proved(unrelu.ReLULayer.from_module(layer, (2, 5, 5)))
