import numpy as np
import pytest
import torch

from unrelu.arrays import flatten_samples, like, to_tensor
from unrelu.errors import ArgumentError

VALUES = [[1.0, -2.0, 0.0], [3.0, 4.0, 5.0]]
ARRAYS = {
    "list": VALUES,
    "float64": np.array(VALUES),
    "float32": np.array(VALUES, dtype=np.float32),
    "float16": np.array(VALUES, dtype=np.float16),
    "long double": np.array(VALUES, dtype=np.longdouble),
    "big-endian": np.array(VALUES, dtype=">f4"),
    "int8": np.array(VALUES, dtype=np.int8),
    "int64": np.array(VALUES, dtype=np.int64),
    "Fortran order": np.asfortranarray(VALUES),
    "negative strides": np.array(VALUES)[::-1, ::-1][::-1, ::-1],
    "every second column": np.repeat(VALUES, 2, axis=1)[:, ::2],
    "torch": torch.tensor(VALUES, dtype=torch.float64),
    "torch float32": torch.tensor(VALUES),
    "torch bfloat16": torch.tensor(VALUES, dtype=torch.bfloat16),
    "torch int": torch.tensor(VALUES).int(),
    "parameter": torch.nn.Parameter(torch.tensor(VALUES)),
    "transposed": torch.tensor(VALUES).T.contiguous().T,
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_to_tensor(array, dtype):
    tensor = to_tensor(array, "x", dtype=dtype)
    assert tensor.dtype == dtype
    assert not tensor.requires_grad
    assert tensor.tolist() == VALUES


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64, np.bool_])
def test_unsigned_and_boolean(kind):
    assert to_tensor(np.array([0, 1], dtype=kind), "x").tolist() == [0.0, 1.0]


def test_read_only_arrays_are_copied_without_a_warning():
    array = np.array(VALUES)
    array.flags.writeable = False
    to_tensor(array, "x")[0, 0] = 7.0
    assert array[0, 0] == 1.0


@pytest.mark.parametrize("make", [np.array, lambda v: torch.tensor(v, dtype=torch.float64)])
def test_copy(make):
    array = make(VALUES)
    to_tensor(array, "x", copy=True)[0, 0] = 7.0
    assert array[0, 0] == 1.0


REFUSED = {
    "NaN": ([1.0, np.nan], "x: expected finite numbers, got 1 NaN or infinite entries"),
    "infinite": (torch.tensor([np.inf, -np.inf]), "got 2 NaN"),
    "overflow of the dtype": ([1e300], "finite"),
    "complex": (np.array([1j]), "expected real numbers, got dtype complex128"),
    "complex tensor": (torch.tensor([1j]), "real numbers"),
    "text": (["a"], "expected real numbers, got dtype <U1"),
    "objects": (np.array([None]), "dtype object"),
    "ragged": ([[1.0], [1.0, 2.0]], "rows of different lengths"),
    "sparse": (torch.eye(2).to_sparse(), "sparse"),
    "dates": (np.array(["2024-01-01"], dtype="datetime64[D]"), "datetime64"),
}


@pytest.mark.parametrize(("array", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(array, message):
    with pytest.raises(ArgumentError, match=message):
        to_tensor(array, "x", dtype=torch.float32)


def test_like():
    result = torch.ones(2)
    assert isinstance(like(result, np.ones(1)), np.ndarray)
    assert isinstance(like(result, [1.0]), np.ndarray)
    assert like(result, torch.ones(1)) is result


SHAPES = [  # given, shape of a sample, batch axes, flat
    ((6,), (6,), (), True),
    ((5, 6), (6,), (5,), True),
    ((4, 5, 6), (6,), (4, 5), True),
    ((2, 3), (2, 3), (), False),
    ((6,), (2, 3), (), True),
    ((5, 2, 3), (2, 3), (5,), False),
    ((4, 5, 2, 3), (2, 3), (4, 5), False),
    ((4, 5, 6), (2, 3), (4, 5), True),
    ((0, 6), (2, 3), (0,), True),
    ((0, 2, 3), (2, 3), (0,), False),
    ((1,), (1,), (), True),
]


@pytest.mark.parametrize(("given", "shape", "batch", "flat"), SHAPES, ids=str)
def test_flatten_samples(given, shape, batch, flat):
    x = torch.arange(float(np.prod(given))).reshape(given)
    matrix, axes, came_flat = flatten_samples(x, shape, "x")
    assert matrix.shape == (np.prod(batch, dtype=int), np.prod(shape))
    assert (axes, came_flat) == (batch, flat)
    assert torch.equal(matrix.reshape(-1), x.reshape(-1))


@pytest.mark.parametrize(
    ("given", "shape"), [((), (6,)), ((5,), (6,)), ((3, 2), (2, 3)), ((2,), (2, 3))], ids=str
)
def test_flatten_samples_refuses(given, shape):
    with pytest.raises(ArgumentError, match=r"x: expected an array of shape \(\.\.\., .*got"):
        flatten_samples(torch.zeros(given), shape, "x")
