import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from tests.layers.maps.linear_maps import check_linear, numbers
from tests.reference.layers import matrix_of
from unrelu.errors import ArgumentError
from unrelu.layers import Convolution, ReLULayer

WEIGHT = np.random.default_rng(0).normal(size=(5, 4))
BIAS = np.random.default_rng(1).normal(size=5)
SAMPLE = np.random.default_rng(2).normal(size=4)


def expected(x: np.ndarray) -> np.ndarray:
    return np.maximum(np.asarray(x, dtype=np.float64) @ WEIGHT.T + BIAS, 0)


SAMPLES = {
    "one": SAMPLE,
    "batch": np.stack([SAMPLE, 2 * SAMPLE]),
    "two batch axes": np.random.default_rng(3).normal(size=(2, 3, 4)),
    "empty batch": np.zeros((0, 4)),
    "float32": SAMPLE.astype(np.float32),
    "integers": np.array([[1, -2, 3, 0]]),
    "negative strides": np.random.default_rng(4).normal(size=(3, 4))[::-1, ::-1],
    "not contiguous": np.random.default_rng(5).normal(size=(4, 3)).T,
}


@pytest.mark.parametrize("x", SAMPLES.values(), ids=SAMPLES.keys())
def test_apply(x: np.ndarray):
    layer = ReLULayer(WEIGHT, BIAS)
    y = layer.apply(x)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float64
    assert y.shape == (*x.shape[:-1], 5)
    assert np.allclose(y, expected(x), rtol=1e-13, atol=1e-13)
    assert np.array_equal(np.maximum(layer.preactivation(x), 0), y)
    tensor = layer.apply(torch.from_numpy(x.copy()))
    assert isinstance(tensor, torch.Tensor)
    assert np.allclose(tensor.numpy(), y, rtol=1e-13, atol=1e-13)


def test_apply_takes_read_only_arrays_and_leaves_arguments_alone():
    x = SAMPLE.copy()
    x.flags.writeable = False
    layer = ReLULayer(WEIGHT, BIAS)
    assert np.allclose(layer.apply(x), expected(SAMPLE))
    tensor = torch.from_numpy(SAMPLE.copy())
    layer.apply(tensor)
    assert np.array_equal(tensor.numpy(), SAMPLE)


@pytest.mark.parametrize(
    "convert", [torch.from_numpy, np.ndarray.tolist, lambda a: a], ids=["torch", "list", "numpy"]
)
def test_kinds_of_weights(convert):
    layer = ReLULayer(convert(WEIGHT), convert(BIAS))
    assert torch.equal(layer.dense(), torch.from_numpy(WEIGHT))
    assert torch.equal(layer.bias, torch.from_numpy(BIAS))
    assert (layer.m, layer.n, layer.redundancy) == (5, 4, 1.25)
    assert layer.in_shape == (4,)
    assert layer.out_shape == (5,)


def test_small_dtypes_are_kept_exactly():
    layer = ReLULayer(WEIGHT.astype(np.float32), BIAS.astype(np.float16))
    assert layer.dense().dtype == layer.bias.dtype == torch.float64
    assert np.array_equal(layer.dense().numpy(), WEIGHT.astype(np.float32))
    assert np.array_equal(layer.bias.numpy(), BIAS.astype(np.float16))


def test_a_layer_is_a_snapshot():
    module = nn.Linear(3, 2).double()
    conv = nn.Conv1d(1, 1, 2).double()
    weight, bias = WEIGHT.copy(), BIAS.copy()
    layers = [
        ReLULayer.from_module(module),
        ReLULayer.from_module(conv, (1, 3)),
        ReLULayer(weight, bias),
    ]
    before = [(layer.dense().clone(), layer.bias.clone()) for layer in layers]
    with torch.no_grad():
        for parameter in [*module.parameters(), *conv.parameters()]:
            parameter.add_(1)
    weight += 1
    bias += 1
    for layer, (old_weight, old_bias) in zip(layers, before, strict=True):
        assert torch.equal(layer.dense(), old_weight)
        assert torch.equal(layer.bias, old_bias)


def test_no_bias_is_zero():
    layer = ReLULayer(WEIGHT)
    assert torch.equal(layer.bias, torch.zeros(5, dtype=torch.float64))


def test_no_rows():
    layer = ReLULayer(np.zeros((0, 3)))
    assert layer.apply(np.ones((2, 3))).shape == (2, 0)
    assert layer.row_norms().shape == (0,)


REFUSED = {
    "one axis": (([1.0, 2.0],), r"weight: expected shape \(m, n\), got \(2,\)"),
    "three axes": ((np.ones((1, 2, 3)),), "weight: expected shape"),
    "number": ((1.0,), "weight: expected shape"),
    "no columns": ((np.ones((3, 0)),), "at least one column"),
    "NaN": (([[np.nan]],), "weight: expected finite numbers"),
    "infinite bias": (([[1.0]], [np.inf]), "bias: expected finite numbers"),
    "long bias": ((WEIGHT, np.ones(4)), r"bias: expected shape \(5,\), got \(4,\)"),
    "bias matrix": ((WEIGHT, np.ones((5, 1))), "bias: expected shape"),
    "text": (([["a"]],), "weight: expected real numbers"),
    "complex": ((WEIGHT * 1j,), "weight: expected real numbers"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ReLULayer(*arguments)


@pytest.mark.parametrize("x", [np.ones(5), np.ones((4, 3)), np.float64(1), [np.nan] * 4], ids=repr)
def test_refused_samples(x):
    with pytest.raises(ArgumentError, match="x: expected"):
        ReLULayer(WEIGHT).apply(x)


MODULES = {
    "linear": (nn.Linear(4, 5), None),
    "linear without bias": (nn.Linear(4, 5, bias=False), None),
    "linear float64": (nn.Linear(4, 5).double(), None),
    "linear bfloat16": (nn.Linear(4, 5).bfloat16(), None),
    "conv1d": (nn.Conv1d(2, 3, 3), (2, 7)),
    "conv1d all": (nn.Conv1d(4, 6, 3, stride=2, padding=3, dilation=2, groups=2), (4, 9)),
    "conv1d same": (nn.Conv1d(2, 3, 3, padding="same"), (2, 6)),
    "conv1d same, even kernel": (nn.Conv1d(2, 3, 4, padding="same"), (2, 6)),
    "conv1d same, dilation": (nn.Conv1d(2, 3, 2, padding="same", dilation=3), (2, 6)),
    "conv1d valid": (nn.Conv1d(2, 3, 2, padding="valid"), (2, 6)),
    "conv2d": (nn.Conv2d(2, 3, 3), (2, 5, 4)),
    "conv2d all": (
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
        (2, 6, 5),
    ),
    "conv2d same": (nn.Conv2d(2, 3, (2, 3), padding="same", bias=False), (2, 4, 4)),
    "conv3d": (nn.Conv3d(1, 2, 2, stride=(1, 2, 1), padding=(0, 1, 1)), (1, 3, 4, 3)),
}


@pytest.mark.parametrize(("module", "shape"), MODULES.values(), ids=MODULES.keys())
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_from_module(module: nn.Module, shape: tuple[int, ...] | None):
    layer = ReLULayer.from_module(module, shape)
    double = copy.deepcopy(module).double()
    in_shape = shape or (4,)
    with torch.no_grad():
        offset = double(torch.zeros(1, *in_shape, dtype=torch.float64))[0]
        matrix = matrix_of(lambda x: double(x[None])[0] - offset, in_shape)
        x = numbers(3, *in_shape)
        assert torch.allclose(layer.preactivation(x), double(x), rtol=1e-12, atol=1e-12)
    assert layer.in_shape == in_shape
    assert torch.equal(layer.bias, offset.reshape(-1))
    assert torch.allclose(layer.dense(), matrix, atol=1e-14)
    check_linear(layer.linear, layer.dense().clone())


UNFIT = {
    "circular": (nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular"), (1, 5), "'zeros', got 'circular'"),
    "reflect": (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), (1, 5, 5), "got 'reflect'"),
    "no input shape": (nn.Conv2d(1, 1, 3), None, r"needs \(channels, \*spatial\)"),
    "wrong input shape": (nn.Conv2d(1, 1, 3), (2, 5, 5), r"expected \(1, 2 spatial axes\)"),
    "small input": (nn.Conv2d(1, 1, 3), (1, 2, 5), "smaller than the kernel"),
    "transposed": (nn.ConvTranspose1d(1, 1, 3), (1, 5), "got ConvTranspose1d; use unrelu.trace"),
    "sequential": (nn.Sequential(), None, "got Sequential"),
    "no module": (np.ones((2, 2)), None, "got ndarray"),
}


@pytest.mark.parametrize(("module", "shape", "message"), UNFIT.values(), ids=UNFIT.keys())
def test_from_module_refuses(module, shape, message):
    with pytest.raises(ArgumentError, match=message):
        ReLULayer.from_module(module, shape)


def test_from_module_refuses_nan():
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, float("nan"))
    with pytest.raises(ArgumentError, match="weight: expected finite numbers, got 4"):
        ReLULayer.from_module(module)


def test_images():
    module = nn.Conv2d(2, 3, 3, padding=1).double()
    layer = ReLULayer.from_module(module, (2, 4, 5))
    x = numbers(2, 6, 2, 4, 5)
    with torch.no_grad():
        y = module(x.reshape(12, 2, 4, 5)).relu().reshape(2, 6, 3, 4, 5)
    assert torch.allclose(layer.apply(x), y)
    flat = layer.apply(x.reshape(2, 6, 40))
    assert torch.allclose(flat, y.reshape(2, 6, 60))
    assert layer.apply(x[0, 0]).shape == (3, 4, 5)


def test_to():
    layer = ReLULayer(WEIGHT, BIAS, name="fc", node="relu_3", source="relu_2")
    single = layer.to(dtype=torch.float32)
    assert (single.name, single.node, single.source) == ("fc", "relu_3", "relu_2")
    assert single.bias.dtype == single.dense().dtype == torch.float32
    assert single.apply(SAMPLE).dtype == np.float32
    assert np.allclose(single.apply(SAMPLE), layer.apply(SAMPLE), rtol=1e-5)
    assert layer.bias.dtype == torch.float64


def test_repr():
    assert repr(ReLULayer(WEIGHT, name="fc1")) == "ReLULayer('fc1', m=5, n=4, Dense)"
    assert "Convolution" in repr(ReLULayer(Convolution(numbers(1, 1, 2), (1, 3))))


finite = st.floats(-1e3, 1e3, allow_subnormal=False)


@st.composite
def layers(draw):
    m, n = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    arrays = [draw(hnp.arrays(np.float64, shape, elements=finite)) for shape in ((m, n), (m,), (3, n))]
    return ReLULayer(*arrays[:2]), arrays[2]


@given(layers(), st.randoms(use_true_random=False))
def test_permuting_rows_permutes_outputs(case, random):
    layer, x = case
    order = list(range(layer.m))
    random.shuffle(order)
    permuted = ReLULayer(layer.rows(order), layer.bias[order])
    assert np.allclose(permuted.apply(x), layer.apply(x)[:, order], rtol=1e-12, atol=1e-9)
    assert torch.equal(permuted.row_norms(), layer.row_norms()[order])


@given(layers(), st.data())
def test_positive_row_scaling_scales_outputs(case, data):
    layer, x = case
    scale = 2.0 ** data.draw(hnp.arrays(np.int64, layer.m, elements=st.integers(-8, 8)))
    scaled = ReLULayer(scale[:, None] * layer.dense().numpy(), scale * layer.bias.numpy())
    # Powers of 2 round nothing.
    assert np.allclose(scaled.apply(x), scale * layer.apply(x), rtol=1e-12, atol=1e-9)
    assert np.allclose(scaled.row_norms(), scale * layer.row_norms().numpy(), rtol=1e-14)


@given(layers())
def test_shape_of_a_batch_does_not_matter(case):
    layer, x = case
    one_by_one = np.stack([layer.apply(sample) for sample in x])
    assert np.allclose(layer.apply(x), one_by_one, rtol=1e-12, atol=1e-9)
    assert np.array_equal(layer.apply(x[None, :, None])[0, :, 0], layer.apply(x))
