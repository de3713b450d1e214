"""When a computed weight is kept, and when it is computed anew."""

import copy
import io

import pytest
import torch

from unrelu.nn import InjectiveLinear


@pytest.fixture
def layer() -> InjectiveLinear:
    torch.manual_seed(0)
    return InjectiveLinear(4, 10).eval()


def computed(layer: InjectiveLinear) -> torch.Tensor:
    return layer.compute()[0]


def change(layer: InjectiveLinear) -> None:
    with torch.no_grad():
        layer.basis.outer.add_(torch.randn(4, 4))


def exported_weight(layer: InjectiveLinear) -> torch.Tensor:
    exported = torch.export.export(layer, (torch.zeros(2, 4),)).module()
    return (exported(torch.eye(4)[:2]) - exported(torch.zeros(2, 4))).T


def test_kept_in_evaluation_mode_only(layer):
    with torch.no_grad():
        assert layer.weight is layer.weight
        assert layer.train().weight is not layer.weight


def test_computed_anew_after_a_change(layer):
    change(layer)
    with torch.no_grad():
        torch.testing.assert_close(layer.weight, computed(layer))
        assert layer.weight is layer.weight
    change(layer)
    torch.testing.assert_close(layer.weight, computed(layer))
    x = torch.randn(3, 4)
    torch.testing.assert_close(layer.inverse(torch.relu(layer(x))), x, rtol=1e-5, atol=1e-5)


def test_exported_after_a_change(layer):
    before = exported_weight(layer)
    change(layer)
    after = exported_weight(layer)
    assert (before - after).abs().max() > 0.1
    torch.testing.assert_close(after, computed(layer)[:, :2])


def test_the_same_numbers_with_and_without_gradients(layer):
    recorded = layer.weight
    assert recorded.requires_grad
    with torch.no_grad():
        assert torch.equal(recorded, layer.weight)


def test_an_optimiser_in_evaluation_mode(layer):
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    x = torch.randn(3, 4)
    before = layer(x)
    before.square().sum().backward()
    optimizer.step()
    after = layer(x)
    assert (after - before).abs().max() > 0.1
    torch.testing.assert_close(after, x @ computed(layer).T + layer.bias)


def test_loaded_and_copied_and_moved_to_another_type(layer):
    other = InjectiveLinear(4, 10).eval()
    other.load_state_dict(layer.state_dict())
    with torch.no_grad():
        assert torch.equal(other.weight, layer.weight)
        assert torch.equal(copy.deepcopy(layer).weight, layer.weight)
        double = copy.deepcopy(layer).double()
        torch.testing.assert_close(double.weight, computed(double), rtol=0, atol=0)
    torch.testing.assert_close(exported_weight(other), computed(layer)[:, :2])
    torch.testing.assert_close(exported_weight(copy.deepcopy(layer)), computed(layer)[:, :2])


def test_not_in_the_state(layer):
    assert set(layer.state_dict()) == {"basis.fixed", "basis.outer", "free", "pair_bias", "free_bias"}


def test_a_whole_module_is_saved(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    loaded = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    with torch.no_grad():
        assert torch.equal(loaded.weight, layer.weight)


def test_other_parameters_for_one_call(layer):
    other = InjectiveLinear(4, 10).eval()
    state = {**dict(other.named_parameters()), **dict(other.basis.named_buffers(prefix="basis"))}
    x = torch.randn(3, 4)
    with torch.no_grad():
        before = layer(x)
        torch.testing.assert_close(torch.func.functional_call(layer, state, x), other(x))
        assert torch.equal(layer(x), before)


def test_inference_mode_leaves_nothing_behind(layer):
    change(layer)
    with torch.inference_mode():
        layer(torch.randn(3, 4))
    x = torch.randn(3, 4, requires_grad=True)
    layer.requires_grad_(False)(x).sum().backward()
    torch.testing.assert_close(x.grad[0], computed(layer).sum(dim=0))
