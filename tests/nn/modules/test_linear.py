"""The injective drop-in for nn.Linear."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from unrelu import Verdict
from unrelu.errors import ArgumentError
from unrelu.nn import InjectiveLinear

DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def is_proved(layer: unrelu.ReLULayer) -> bool:
    decision = unrelu.decide(layer)
    return decision.verdict == Verdict.INJECTIVE and unrelu.verify(decision.certificate, layer).valid


def network(n: int, m: int, **options) -> nn.Sequential:
    torch.manual_seed(0)
    layer = InjectiveLinear(n, m, **options)
    return nn.Sequential(layer, nn.ReLU(), nn.Linear(m, 3, dtype=options.get("dtype")))


def trained(model: nn.Sequential, steps: int = 20) -> nn.Sequential:
    layer = model[0]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    x = torch.randn(64, layer.in_features, dtype=layer.weight.dtype)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), torch.randint(3, (64,))).backward()
        optimizer.step()
    return model


def relative_error(layer: InjectiveLinear, x: torch.Tensor, size: torch.Tensor) -> float:
    back = layer.inverse(torch.relu(layer(x)))
    return float(((back - x).norm(dim=-1) / size).max().detach())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n", "m"), [(1, 2), (3, 6), (7, 20)])
@pytest.mark.parametrize("condition", [1, 10.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_and_proof(n, m, bias, condition, dtype):
    torch.manual_seed(0)
    layer = InjectiveLinear(n, m, bias=bias, dtype=dtype, condition=condition)
    x = torch.randn(4, 5, n, dtype=dtype)
    assert torch.relu(layer(x)).shape == (4, 5, m)
    assert relative_error(layer, x, x.norm(dim=-1)) < TOLERANCE[dtype]
    assert is_proved(unrelu.ReLULayer(layer.weight, layer.bias))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ten_thousand_points_at_random_initialisation(dtype, training, scale):
    layer = network(30, 80, dtype=dtype)[0].train(training)
    x = scale * torch.randn(10_000, 30, dtype=dtype)
    assert relative_error(layer, x, x.norm(dim=1)) < TOLERANCE[dtype]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("condition", [1, 10.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_after_training_the_error_is_relative_to_input_and_bias(dtype, condition, scale):
    layer = trained(network(30, 80, dtype=dtype, condition=condition)).eval()[0]
    x = scale * torch.randn(10_000, 30, dtype=dtype)
    assert layer.bias.abs().max() > 0.01
    assert relative_error(layer, x, x.norm(dim=1) + layer.bias.norm()) < TOLERANCE[dtype]
    if scale >= 1:
        assert relative_error(layer, x, x.norm(dim=1)) < TOLERANCE[dtype]


@pytest.mark.parametrize("condition", [1, 4.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_proved_when_trained_and_loaded_and_traced(dtype, condition):
    model = trained(network(6, 15, dtype=dtype, condition=condition))
    layer = model[0]
    assert is_proved(unrelu.ReLULayer(layer.weight, layer.bias))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    other = network(6, 15, dtype=dtype, condition=condition)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue())))
    x = torch.randn(3, 6, dtype=dtype)
    assert torch.equal(other(x), model(x))
    assert is_proved(unrelu.ReLULayer(other[0].weight, other[0].bias))
    assert is_proved(unrelu.trace(other, x)[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_written_as_onnx_it_is_a_plain_layer_and_proved(dtype, tmp_path):
    model = trained(network(6, 15, dtype=dtype)).eval()
    path = tmp_path / "model.onnx"
    x = torch.randn(1, 6, dtype=dtype)
    torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
    layer = unrelu.trace(path)[0]
    np.testing.assert_array_equal(layer.dense(), model[0].weight.detach().double())
    assert is_proved(layer)
    decision = unrelu.decide(unrelu.ReLULayer(model[0].weight, model[0].bias))
    assert unrelu.verify(decision.certificate, layer).valid


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_and_exported(backend, training):
    model = trained(network(6, 15)).train(training)
    x = torch.randn(5, 6)
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))
    compiled(x).sum().backward()
    for strict in (False, True):
        exported = torch.export.export(model, (x,), strict=strict).module()
        torch.testing.assert_close(exported(x), model(x))


@pytest.mark.parametrize("condition", [1, 4.0])
def test_training_and_evaluation_agree(condition):
    model = trained(network(9, 25, dtype=torch.float64, condition=condition))
    layer, x = model[0], torch.randn(7, 9, dtype=torch.float64)
    fast = layer(x)
    torch.testing.assert_close(fast, x @ layer.weight.T + layer.bias, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(layer.eval()(x), fast, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("condition", [1, 4.0])
def test_gradients_agree(condition):
    layer = trained(network(9, 25, dtype=torch.float64, condition=condition))[0]
    x, along = torch.randn(7, 9, dtype=torch.float64), torch.randn(7, 25, dtype=torch.float64)
    parameters = list(layer.parameters())
    fast = torch.autograd.grad((layer(x) * along).sum(), parameters)
    plain = torch.autograd.grad((layer.eval()(x) * along).sum(), parameters)
    for one, other in zip(fast, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_size_of_mnist():
    torch.manual_seed(0)
    layer, x = InjectiveLinear(784, 1568).eval().requires_grad_(False), torch.rand(100, 784)
    with torch.no_grad():
        layer.basis.outer.add_(0.05 * torch.randn_like(layer.basis.outer))
        layer.pair_bias.normal_(std=0.1)
    assert relative_error(layer, x, x.norm(dim=1)) < 2e-6
    assert layer.contains(layer.weight)
    assert layer.lower_lipschitz() == pytest.approx(1, abs=1e-5)
    assert is_proved(unrelu.ReLULayer(layer.weight, layer.bias))


def test_opposite_to_the_bit():
    layer = trained(network(20, 50, condition=3.0))[0]
    for mode in (True, False):
        weight, bias = layer.train(mode).weight, layer.bias
        assert torch.equal(weight[:20], -weight[20:40])
        assert torch.equal(bias[:20], -bias[20:40])


@pytest.mark.parametrize("m", [400, 900])
def test_mean_square_is_kept_at_initialisation(m):
    torch.manual_seed(0)
    layer, x = InjectiveLinear(200, m).requires_grad_(False), torch.randn(50, 200)
    assert layer.bias.abs().max() == 0
    ratio = torch.relu(layer(x)).square().mean(dim=1) / x.square().mean(dim=1)
    assert float((ratio.mean() - 1).abs()) < (1e-5 if m == 400 else 0.05)


@pytest.mark.parametrize("condition", [1, 4.0, 50.0])
def test_lower_lipschitz_holds_for_pairs_of_points(condition):
    layer = trained(network(8, 20, dtype=torch.float64, condition=condition))[0].requires_grad_(False)
    bound = layer.lower_lipschitz()
    assert bound == pytest.approx(float(torch.linalg.svdvals(layer.weight[:8])[-1]) / math.sqrt(2))
    assert bound >= 1 / math.sqrt(condition) - 1e-12
    x, far = torch.randn(2, 5000, 8, dtype=torch.float64)
    for other in (far, x + 1e-3 * far):
        moved = (torch.relu(layer(x)) - torch.relu(layer(other))).norm(dim=1)
        assert float((moved / (x - other).norm(dim=1)).min().detach()) >= bound - 1e-9


@pytest.mark.parametrize("condition", [1, 30.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_are_contained(dtype, condition):
    layer = network(8, 19, dtype=dtype, condition=condition)[0]
    weight = layer.sample(torch.Generator().manual_seed(3))
    assert layer.contains(weight) and layer.contains(layer.weight)
    assert torch.equal(weight, layer.sample(torch.Generator().manual_seed(3)))
    assert not torch.equal(weight, layer.sample())
    assert is_proved(unrelu.ReLULayer(weight))
    sigma = torch.linalg.svdvals(weight[:8].double())
    assert condition**0.5 * 0.99 <= sigma[0] / sigma[-1] <= condition * 1.001


def test_what_is_not_contained():
    layer = network(4, 10)[0]
    for change in ("a bit", "condition", "rank"):
        weight = layer.sample()
        if change == "a bit":
            weight[5, 2] = torch.nextafter(weight[5, 2], torch.tensor(9.0))
        elif change == "condition":
            weight[[1, 5]] *= 1.01
        else:
            weight[[1, 5]] = 0
        assert not layer.contains(weight)
    with pytest.raises(ArgumentError, match=r"weight: expected shape \(10, 4\), got \(10, 5\)"):
        layer.contains(torch.zeros(10, 5))
    with pytest.raises(
        ArgumentError, match="weight: expected finite numbers, got 40 NaN or infinite entries"
    ):
        layer.contains(torch.full((10, 4), math.nan))


def test_copies_and_types():
    model = trained(network(5, 12))
    layer, x = model[0], torch.randn(3, 5)
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))
    double = copy.deepcopy(layer).double()
    assert double(x.double()).dtype == torch.float64
    torch.testing.assert_close(double(x.double()).float(), layer(x))
    assert InjectiveLinear(3, 6, device="meta").weight.device.type == "meta"


@pytest.mark.parametrize("training", [True, False])
def test_half_the_width(training):
    layer, x = trained(network(20, 50))[0].train(training), torch.randn(8, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(x)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), layer(x), rtol=0.05, atol=0.05)
    torch.manual_seed(0)
    narrow = InjectiveLinear(20, 50, dtype=torch.bfloat16).train(training)
    x = x.bfloat16()
    assert narrow(x).dtype == torch.bfloat16
    torch.testing.assert_close(narrow.inverse(torch.relu(narrow(x))), x, rtol=0.05, atol=0.05)
    assert is_proved(unrelu.ReLULayer(narrow.weight, narrow.bias))


def test_residual_tells_what_is_off_the_range():
    layer = trained(network(6, 15, dtype=torch.float64))[0].requires_grad_(False)
    y = torch.relu(layer(torch.randn(5, 6, dtype=torch.float64)))
    assert layer.residual(y).max() < 1e-14
    y[0, 0], y[0, 6] = 1.0, 1.0
    y[1, 12:] += 1
    residual = layer.residual(y)
    assert residual[:2].min() > 0.1
    assert residual[2:].max() < 1e-14


def test_trained_in_float32_and_inverted_in_float64():
    layer = trained(network(30, 80))[0].double()
    x = torch.randn(1000, 30, dtype=torch.float64)
    assert relative_error(layer, x, x.norm(dim=1)) < 1e-12


def test_shown_as_a_linear_layer_is():
    assert "in_features=3, out_features=8, bias=False" in repr(InjectiveLinear(3, 8, bias=False))


@pytest.mark.parametrize("training", [True, False])
def test_under_function_transforms(training):
    layer = trained(network(4, 9, dtype=torch.float64, condition=3.0))[0].train(training)
    x = torch.randn(5, 4, dtype=torch.float64)
    jacobians = torch.func.vmap(torch.func.jacrev(layer))(x)
    torch.testing.assert_close(jacobians, layer.weight.expand(5, 9, 4), rtol=1e-12, atol=1e-12)
    y = torch.relu(layer(x))
    torch.testing.assert_close(torch.func.vmap(layer.inverse)(y), x, rtol=1e-12, atol=1e-12)


def test_gradient_through_the_inverse():
    layer = network(4, 9, dtype=torch.float64)[0]
    y = torch.relu(layer(torch.randn(3, 4, dtype=torch.float64))).detach().requires_grad_()
    assert torch.autograd.gradcheck(layer.inverse, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 7), "out_features: expected at least 2 \\* in_features = 8, got 7"),
        ((0, 7), "in_features: expected a whole number of at least 1, got 0"),
        ((4, 8.5), "out_features: expected a whole number of at least 1, got 8.5"),
    ],
)
def test_sizes_that_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        InjectiveLinear(*arguments)


def test_wrong_length_is_refused():
    with pytest.raises(ArgumentError, match=r"expected shape \(\.\.\., 8\), got \(3, 4\)"):
        InjectiveLinear(4, 8).inverse(torch.zeros(3, 4))
