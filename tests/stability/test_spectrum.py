"""Singular values layer by layer, against a derivative and a decomposition a sample."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.recipes import RECIPES
from tests.reference.stability import kept_rows, values_of
from unrelu.errors import ArgumentError
from unrelu.stability import spectrum, spectrum_method
from unrelu.stability._dense import all_values


class Residual(nn.Module):
    """A skip connection around a ReLU, and max pooling behind the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 9, 5)

    def stage(self, x: torch.Tensor, wanted: str) -> torch.Tensor:
        z = self.first(x)
        a = torch.relu(z)
        s = self.second(a) + a
        b = torch.relu(s)
        out = self.head(torch.max_pool2d(b, 2).flatten(1))
        return {"first": z, "first+": a, "sum": s, "sum+": b, "output": out}[wanted]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stage(x, "output")


@pytest.fixture(scope="module")
def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    parts = [nn.Conv2d(2, 6, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(6, 3, 3), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*parts, nn.Linear(27, 40), nn.ReLU(), nn.Linear(40, 7)).eval()


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether values agree to the stated accuracy, in units of the largest; missing ones are 0."""
    padded = np.zeros(len(found))
    padded[: len(expected)] = expected[: len(found)]
    return np.abs(found - padded).max(initial=0) <= 1e-10 * max(padded.max(initial=0), 1e-300)


@pytest.mark.parametrize("window", [None, 4, (3, 5), (2, 3, 0, 7)])
def test_every_layer_of_a_convolutional_network(convolutional: nn.Sequential, window):
    x = torch.randn(3, 2, 10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    result = spectrum(convolutional, x, window=window)
    index = torch.arange(200).reshape(2, 10, 10)
    places = {None: index, 4: index[:, 3:7, 3:7], (3, 5): index[:, 3:6, 2:7], (2, 3, 0, 7): index[:, :2, 7:]}
    entries = places[window].reshape(-1)
    twin = convolutional.double()
    assert [layer.name for layer in result.layers] == ["0", "2", "5"]
    for layer, before in zip(result.layers, (1, 3, 6), strict=True):
        for k, sample in enumerate(x):
            assert close(layer.before[k].numpy(), values_of(twin[:before], sample, entries))
            assert close(layer.after[k].numpy(), values_of(twin[: before + 1], sample, entries))
    assert all(close(result.output.values[k].numpy(), values_of(twin, x[k], entries)) for k in range(3))
    twin.float()


def test_skip_connections_and_max_pooling():
    torch.manual_seed(0)
    module = Residual().eval()
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    result = spectrum(module, x)
    module.double()
    stages = [("first", "first+"), ("sum", "sum+")]
    assert len(result.layers) == 2
    for layer, names in zip(result.layers, stages, strict=True):
        for k in range(2):
            for values, name in zip((layer.before[k], layer.after[k]), names, strict=True):
                assert close(values.numpy(), values_of(lambda v, name=name: module.stage(v, name), x[k]))
    assert close(result.output.values[1].numpy(), values_of(module, x[1]))


# The others' signs are lost in rounding.
@pytest.mark.parametrize(
    "name", [n for n in RECIPES if n not in {"overflowing", "subnormal_rows", "cancelling"}]
)
def test_layers_of_every_kind(name: str):
    made = RECIPES[name]()
    layer = spectrum(made.layer, made.points).layers[0]
    for k, x in enumerate(made.points):
        active = made.layer.preactivation(x) > 0
        assert layer.active[k] == active.sum()
        assert close(layer.before[k], kept_rows(made.weight, np.ones(len(active), dtype=bool)))
        assert close(layer.after[k], kept_rows(made.weight, active))


def test_rank_and_condition_are_those_of_the_active_rows(rng: np.random.Generator):
    weight = rng.standard_normal((30, 8))
    weight[:, 7] = weight[:, 0]  # rank 7
    layer = unrelu.ReLULayer(weight)
    x = rng.standard_normal((20, 8))
    found = spectrum(layer, x).layers[0]
    for k, point in enumerate(x):
        values = kept_rows(weight, weight @ point > 0)
        assert found.rank[k] == np.linalg.matrix_rank(weight[weight @ point > 0]) == 7
        assert found.condition[k] == pytest.approx(values[0] / values[6], rel=1e-9)
    assert found.through.median_rank == 7
    assert found.up_to.median_condition == pytest.approx(np.median(found.up_to.condition))


def test_small_values_are_not_lost_in_squares():
    """Condition 1e12 and an exact zero: squares alone would have neither the value nor the rank."""
    left, _, right = np.linalg.svd(np.random.default_rng(2).standard_normal((60, 30)), full_matrices=False)
    values = np.array([*np.linspace(1, 0.1, 26), 1e-6, 1e-9, 1e-12, 0.0])
    found = spectrum(unrelu.ReLULayer(left * values @ right, np.full(60, 10.0)), np.zeros(30)).layers[0]
    assert np.abs(found.after - values).max() < 1e-14
    assert found.rank == 29
    assert found.condition == pytest.approx(1e12, rel=1e-3)


def test_what_comes_out_is_what_goes_in(rng: np.random.Generator):
    layer = unrelu.ReLULayer(rng.standard_normal((9, 4)))
    x = rng.standard_normal((2, 3, 4))
    as_numpy, as_torch = spectrum(layer, x).layers[0], spectrum(layer, torch.from_numpy(x)).layers[0]
    assert as_numpy.before.shape == (2, 3, 4) and as_numpy.rank.shape == (2, 3)
    assert isinstance(as_torch.after, torch.Tensor)
    np.testing.assert_array_equal(as_numpy.after, as_torch.after.numpy())
    single = spectrum(layer, x[1, 2]).layers[0]
    np.testing.assert_allclose(single.after, as_numpy.after[1, 2], atol=1e-12)
    assert as_numpy.through.median.shape == (4,)


def test_values_do_not_depend_on_the_memory(convolutional: nn.Sequential):
    x = torch.randn(5, 2, 10, 10, generator=torch.Generator().manual_seed(3))
    net = unrelu.trace(convolutional.float(), x[:1])
    together = spectrum(net, x)
    apart = spectrum(net, x, memory=4 * 8 * 200 * 200)
    for one, other in zip(together.layers, apart.layers, strict=True):
        torch.testing.assert_close(one.after, other.after, atol=1e-12, rtol=0)


def test_a_selection_of_layers(convolutional: nn.Sequential):
    x = torch.randn(2, 2, 10, 10, generator=torch.Generator().manual_seed(3))
    whole, part = spectrum(convolutional.float(), x), spectrum(convolutional.float(), x, layers=["2"])
    assert [layer.name for layer in part.layers] == ["2"] and part.output is None
    torch.testing.assert_close(part["2"].before, whole["2"].before)
    assert whole[2].name == "5"


def test_a_few_values_without_matrices(convolutional: nn.Sequential):
    x = torch.randn(2, 2, 10, 10, generator=torch.Generator().manual_seed(4))
    net = unrelu.trace(convolutional.float(), x[:1])
    dense, few = spectrum(net, x), spectrum(net, x, method="lanczos", extremes=3)
    assert few.layers[0].rank.tolist() == [-1, -1]
    for name in ("2", "5"):
        every, found = dense[name].through, few[name].through
        assert not found.complete
        for k in range(2):
            exact = every.values[k][: every.rank[k]]
            values = found.values[k][~found.values[k].isnan()]
            nearest = (values[:, None] - exact).abs().amin(dim=1)
            assert (nearest <= found.error[k][: len(values)] + 1e-12).all()
            torch.testing.assert_close(values[:3], exact[:3], atol=1e-9, rtol=0)
            torch.testing.assert_close(values[-1], exact[-1], atol=1e-9, rtol=0)
        torch.testing.assert_close(found.condition, every.condition, rtol=1e-6, atol=0)


def test_errors_of_unfinished_processes_are_bounds(rng: np.random.Generator):
    weight = rng.standard_normal((400, 200))
    found = spectrum(unrelu.ReLULayer(weight), np.ones(200), method="lanczos", steps=25).layers[0].up_to
    exact = np.linalg.svd(weight, compute_uv=False)
    assert found.error[0] < 0.1 < found.error.max()
    assert (np.abs(found.values[:, None] - exact).min(axis=1) <= found.error).all()
    assert found.condition <= exact[0] / exact[-1]


def test_the_method_is_chosen_by_memory(convolutional: nn.Sequential):
    net = unrelu.trace(convolutional.float(), torch.zeros(1, 2, 10, 10))
    assert spectrum_method(net) == "dense"
    assert spectrum_method(net, memory=1000) == "lanczos"
    few = spectrum(net, torch.zeros(1, 2, 10, 10), memory=1000, extremes=2, steps=5)
    assert not few.layers[0].up_to.complete


def test_an_interrupt_keeps_what_is_done(convolutional: nn.Sequential, monkeypatch: pytest.MonkeyPatch):
    net = unrelu.trace(convolutional.float(), torch.zeros(1, 2, 10, 10))
    x = np.random.default_rng(6).standard_normal((5, 2, 10, 10))
    done = []

    def stopping(*args):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(args)
        return all_values(*args)

    whole = spectrum(net, x)
    monkeypatch.setattr("unrelu.stability._plan.all_values", stopping)
    part = spectrum(net, x, memory=4 * 8 * 200 * 200)
    assert part.partial and not whole.partial and part.samples == 2
    np.testing.assert_allclose(part["5"].after, whole["5"].after[:2], atol=1e-12)
    with pytest.raises(KeyboardInterrupt):
        spectrum(net, x)


@pytest.mark.cuda
def test_on_a_gpu(convolutional: nn.Sequential):
    net = unrelu.trace(convolutional.float(), torch.zeros(1, 2, 10, 10))
    x = torch.randn(3, 2, 10, 10, dtype=torch.float64)
    here, there = spectrum(net, x), spectrum(net, x.cuda())
    assert there["5"].after.device.type == "cuda"
    for one, other in zip(here.layers, there.layers, strict=True):
        torch.testing.assert_close(one.after, other.after.cpu(), atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros((0, 2, 10, 10)), {}, "at least one sample"),
        (np.zeros((2, 9, 9)), {}, "x: expected an array of shape"),
        (np.full((1, 2, 10, 10), np.nan), {}, "x: expected finite numbers"),
        (np.zeros((1, 2, 10, 10)), {"window": 11}, "window: expected at most 10 x 10 pixels, got 11 x 11"),
        (np.zeros((1, 2, 10, 10)), {"window": 0}, "window: expected a whole number of at least 1"),
        (np.zeros((1, 2, 10, 10)), {"window": (4, 4, 8, 0)}, "window: expected a place inside"),
        (np.zeros((1, 2, 10, 10)), {"window": (1, 2, 3)}, "window: expected a side"),
        (np.zeros((1, 2, 10, 10)), {"layers": ["fc9"]}, "layers: expected some of '0', '2', '5', '.output.'"),
        (np.zeros((1, 2, 10, 10)), {"method": "svd"}, "method: expected"),
        (np.zeros((1, 2, 10, 10)), {"method": "dense", "memory": 10}, "memory: expected at least"),
        (np.zeros((1, 2, 10, 10)), {"steps": 0}, "steps: expected"),
    ],
)
def test_bad_input(convolutional: nn.Sequential, x: np.ndarray, options: dict, message: str):
    net = unrelu.trace(convolutional.float(), torch.zeros(1, 2, 10, 10))
    with pytest.raises(ArgumentError, match=message):
        spectrum(net, x, **options)


def test_windows_need_images():
    with pytest.raises(ArgumentError, match="window: expected inputs of shape"):
        spectrum(unrelu.ReLULayer(np.eye(4)), np.ones(4), window=2)


def test_no_network():
    with pytest.raises(ArgumentError, match="network: expected a Network"):
        spectrum(np.eye(3), np.ones(3))
    with pytest.raises(ArgumentError, match="x: expected a batch"):
        spectrum(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), np.ones(3))
