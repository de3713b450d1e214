"""The margin penalty inside training loops: every way to write a ReLU, and what it must leave alone."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import unrelu
from unrelu.errors import ArgumentError, ModelError
from unrelu.nn import MarginPenalty, margin_penalty


class Functional(nn.Module):
    """A model whose ReLU is a call of the function given."""

    def __init__(self, relu):
        super().__init__()
        self.first, self.second, self.relu = nn.Linear(3, 8), nn.Linear(8, 20), relu

    def forward(self, x):
        return self.relu(self.second(self.relu(self.first(x))))


class Residual(nn.Module):
    """Batch norm, a skip connection, and one module applied twice, its ReLU in place."""

    def __init__(self):
        super().__init__()
        self.norm, self.shared, self.relu = nn.BatchNorm1d(4), nn.Linear(4, 12), nn.ReLU(inplace=True)
        self.back, self.out = nn.Linear(12, 4), nn.Linear(12, 2)

    def forward(self, x):
        y = self.back(self.relu(self.shared(self.norm(x))))
        return self.out(self.relu(self.shared(x + y)))


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(144, 160),
        nn.ReLU(),
        nn.Linear(160, 3),
    )


def watched(penalty, model, x):
    with penalty.watch():
        model(x)
    return penalty.value()


RELUS = {
    "torch": torch.relu,
    "functional": functional.relu,
    "in place": torch.relu_,
    "functional in place": lambda z: functional.relu(z, inplace=True),
    "method": lambda z: z.relu(),
    "method in place": lambda z: z.relu_(),
    "module": nn.ReLU(),
    "clamp": lambda z: z.clamp(min=0),
    "clamp_min": lambda z: torch.clamp_min(z, 0),
    "clip": lambda z: torch.clip(z, 0),
    "threshold": nn.Threshold(0, 0),
    "maximum": lambda z: torch.maximum(torch.zeros(()), z),
    "keyword": lambda z: functional.relu(input=z),
}


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS.keys())
def test_every_way_to_write_a_relu(relu):
    torch.manual_seed(0)
    model, x = Functional(relu), torch.randn(6, 3)
    value = watched(MarginPenalty(model, x, weight=2.0, delta=0.3, slack=1), model, x)
    z = model.first(x)
    terms = [
        margin_penalty(z, 3, delta=0.3, slack=1, row_norms=model.first.weight.norm(dim=1)),
        margin_penalty(
            model.second(z.relu()), 8, delta=0.3, slack=1, row_norms=model.second.weight.norm(dim=1)
        ),
    ]
    torch.testing.assert_close(value, 2 * sum(terms))
    value.backward()
    assert all(float(layer.weight.grad.abs().max()) > 0 for layer in (model.first, model.second))


def test_reused_modules_skips_and_batch_norm():
    torch.manual_seed(0)
    model, x = Residual(), torch.randn(10, 4)
    penalty = MarginPenalty(model, x, normalized=False)
    value = watched(penalty, model, x)
    assert list(penalty.terms) == list(unrelu.trace(model, x)) == ["shared", "shared_1"]
    mean, variance = x.mean(dim=0), x.var(dim=0, unbiased=False)
    first = model.shared((x - mean) / (variance + model.norm.eps).sqrt())
    expected = margin_penalty(first, 4, slack=1)
    torch.testing.assert_close(penalty.terms["shared"], expected)
    value.backward()


def test_convolution_and_its_row_norms():
    torch.manual_seed(0)
    model, x = convolutional(), torch.rand(5, 1, 6, 6)
    penalty = MarginPenalty(model, x)
    watched(penalty, model, x).backward()
    layer = unrelu.trace(model, x)[0]
    with torch.no_grad():
        z = model[1](model[0](x))
    norms = layer.row_norms()
    expected = margin_penalty(z.flatten(1), 36, slack=2, row_norms=norms)
    torch.testing.assert_close(penalty.terms["0"].detach(), expected)
    assert len(norms.unique()) > 4  # borders cut kernels off


def test_the_gradient_is_right():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 7), nn.ReLU()).double()
    x = torch.randn(4, 2).double()
    penalty = MarginPenalty(model, x, delta=0.5, slack=1, weight=3.0)
    names = [name for name, _ in model.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in model.parameters()]  # the norms stay as they are

    def value(*parameters):
        with penalty.watch():
            torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (x,))
        return penalty.value()

    assert torch.autograd.gradcheck(value, values)


def test_norms_are_taken_anew():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 8), nn.ReLU()), torch.randn(6, 3)
    penalty = MarginPenalty(model, x, weight=1.0, retrace_every=2)
    norms = model[0].weight.norm(dim=1)
    before = watched(penalty, model, x)
    with torch.no_grad():
        model[0].weight *= 2
        model[0].bias *= 2
    torch.testing.assert_close(
        watched(penalty, model, x), margin_penalty(model[0](x), 3, slack=1, row_norms=norms)
    )
    torch.testing.assert_close(watched(penalty, model, x), before)


def test_calling_it_runs_the_model():
    torch.manual_seed(0)
    model, x = Functional(torch.relu), torch.randn(6, 3)
    lazy = MarginPenalty(model)
    assert lazy(x) == watched(MarginPenalty(model, x), model, x) > 0


def test_layers_can_be_chosen_and_the_rest_is_listed():
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 20), nn.ReLU())
    x = torch.randn(3, 6)
    penalty = MarginPenalty(model, x)
    watched(penalty, model, x)
    assert list(penalty.terms) == ["2", "4"]
    assert [(s.node, s.reason) for s in penalty.skipped] == [
        ("relu", "expected n + slack = 6 + 0 rows or more, got m = 4")
    ]
    one = MarginPenalty(model, x, ["4"])
    watched(one, model, x)
    assert list(one.terms) == ["4"]
    assert one.skipped[1].reason == "not among the layers asked for"
    assert watched(MarginPenalty(model, x, ["relu_2"]), model, x) == one.value()


def test_default_slack_fits_the_layer():
    x = torch.randn(3, 100)
    for m, slack in [(100, 0), (101, 1), (150, 4)]:
        model = nn.Sequential(nn.Linear(100, m), nn.ReLU())
        got = watched(MarginPenalty(model, x, weight=1.0, normalized=False), model, x)
        assert got == margin_penalty(model[0](x), 100, slack=slack)


def test_the_model_and_the_random_state_are_left_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 2))
    model[1].eval()
    x = torch.randn(5, 4)
    twin, state = copy.deepcopy(model), torch.get_rng_state()
    penalty = MarginPenalty(model, x)
    assert torch.equal(torch.get_rng_state(), state)
    with penalty.watch():
        out = model(x)
    torch.set_rng_state(state)
    assert torch.equal(out, twin(x))
    assert [m.training for m in model.modules()] == [m.training for m in twin.modules()]
    before = twin.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_without_gradients_and_under_autocast():
    torch.manual_seed(0)
    model, x = convolutional(), torch.rand(5, 1, 6, 6)
    penalty = MarginPenalty(model, x, retrace_every=1)
    with torch.no_grad():
        assert not watched(penalty, model, x).requires_grad
    with torch.autocast("cpu"):
        value = watched(penalty, model, x)
    assert value.dtype == torch.float32
    value.backward()


def test_half_precision_models():
    torch.manual_seed(0)
    model, x = Functional(torch.relu).bfloat16(), torch.randn(5, 3)
    watched(MarginPenalty(model, x), model, x.bfloat16()).backward()


def test_other_calls_in_between_are_noticed():
    model, x = Functional(torch.relu), torch.randn(5, 3)
    penalty = MarginPenalty(model, x)
    with pytest.raises(ModelError, match=r"Functional: expected 2 calls .* got 4; watch exactly one"):
        watched(penalty, lambda x: model(model(x)[:, :3]), x)
    with pytest.raises(ModelError, match="got 0"), penalty.watch():
        pass
    with pytest.raises(ZeroDivisionError), penalty.watch():  # an error inside is not replaced
        _ = 1 / 0


def test_a_hidden_relu_is_listed():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 8), nn.Linear(8, 20)

        def forward(self, x):
            return torch.relu(self.second(torch.max(self.first(x), torch.zeros(()))))

    model, x = Hidden(), torch.randn(5, 3)
    penalty = MarginPenalty(model, x)
    watched(penalty, model, x)
    assert list(penalty.terms) == ["second"]
    assert penalty.skipped[0].reason == "its ReLU is no call that can be observed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight: expected a finite number >= 0, got -1.0"),
        ({"weight": math.nan}, "weight: .* got nan"),
        ({"delta": -1.0}, "delta: .* got -1.0"),
        ({"slack": -1}, "slack: .* got -1"),
        ({"retrace_every": 0}, "retrace_every: .* got 0"),
        ({"layers": ["nothing"]}, "layers: no layer 'nothing'; the layers are 'first', 'second'"),
        (
            {"layers": ["first"], "slack": 6},
            r"layers: 'first' cannot be taken: expected n \+ slack = 3 \+ 6 rows or more, got m = 8",
        ),
        ({"slack": 30}, r"layers: none can be taken \(relu: expected n \+ slack"),
        ({"layers": []}, "layers: none can be taken"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        MarginPenalty(Functional(torch.relu), torch.randn(5, 3), **options)


def test_what_is_missing_is_named():
    model = Functional(torch.relu)
    with pytest.raises(ArgumentError, match=r"model: expected an nn\.Module, got str"):
        MarginPenalty("model.onnx")
    with pytest.raises(ArgumentError, match="example_input: needed"), MarginPenalty(model).watch():
        pass
    with pytest.raises(ArgumentError, match="value: no forward pass"):
        MarginPenalty(model, torch.randn(5, 3)).value()


def test_moved_batch_axes_are_refused():
    class SequenceFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 5)

        def forward(self, x):
            return torch.relu(self.linear(x.transpose(0, 1))).transpose(0, 1)

    model = SequenceFirst()
    penalty = MarginPenalty(model, torch.randn(1, 4, 3))
    with pytest.raises(ModelError, match=r"expected 20 pre-activations a sample, got shape \(4, 2, 5\)"):
        watched(penalty, model, torch.randn(2, 4, 3))


def test_digits_become_recoverable_and_stay_recognisable():
    digits = unrelu.load("digits")
    x = torch.from_numpy(digits.inputs.reshape(-1, 64)).float()
    y = torch.from_numpy(np.asarray(digits.labels)).long()
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(x)))
    train, test = order[:1300], order[1300:]

    def fit(enforce):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(inplace=True), nn.Linear(96, 10))
        penalty = MarginPenalty(model, x[:1])
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(8):
            for batch in train[torch.randperm(len(train))].split(64):
                with penalty.watch():
                    logits = model(x[batch])
                loss = functional.cross_entropy(logits, y[batch])
                optimizer.zero_grad()
                (loss + penalty.value() if enforce else loss).backward()
                optimizer.step()
        accuracy = (model(x[test]).argmax(dim=1) == y[test]).double().mean().item()
        points = unrelu.analyse_points(unrelu.trace(model, x)[0], x[test], n_jobs=1)
        return accuracy, (points.singleton == 1).mean()

    plain, enforced = fit(enforce=False), fit(enforce=True)
    assert plain[1] < 0.99
    assert enforced[1] == 1
    assert enforced[0] > plain[0] - 0.02 > 0.9
