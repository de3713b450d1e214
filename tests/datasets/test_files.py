"""Arrays and tables on disk: what they give, and what is said of bad ones."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from unrelu import datasets
from unrelu.datasets import _arrays
from unrelu.errors import DataError


def npy(array: Any, pickled: bool = False) -> Callable[[Path], None]:
    return lambda path: np.save(path, np.asarray(array), allow_pickle=pickled)


def content(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data)


def header(text: bytes, body: bytes = b"") -> Callable[[Path], None]:
    """A file in the .npy format with this header, honest or not."""
    return content(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body)


def cut(write: Callable[[Path], None], keep: int) -> Callable[[Path], None]:
    def write_part(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:keep])

    return write_part


def npz(**arrays: Any) -> Callable[[Path], None]:
    return lambda path: np.savez_compressed(path, **{k: np.asarray(v) for k, v in arrays.items()})


def safetensors(**arrays: Any) -> Callable[[Path], None]:
    return lambda path: save_file({k: np.asarray(v) for k, v in arrays.items()}, path)


@pytest.mark.parametrize(
    ("array", "dtype", "kind"),
    [
        (np.array([[0.1, 0.2]]), np.float64, "table"),
        (np.ones((2, 3), np.float32), np.float32, "table"),
        (np.ones((2, 3), np.float16), np.float32, "table"),
        (np.ones((2, 3), ">f8"), np.float64, "table"),
        (np.full((2, 3, 4, 4), 200, np.uint8), np.float32, "image"),
        (np.full((2, 1, 4, 4), -3, np.int16), np.float32, "image"),
        (np.full((2, 4, 4, 3), 2**31 - 1, np.int32), np.float64, "array"),
        (np.full((2, 4), 2**53), np.float64, "table"),
        (np.eye(3, dtype=bool), np.float32, "table"),
        (np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.float64, "table"),
    ],
)
def test_npy_keeps_every_number(tmp_path: Path, array: np.ndarray, dtype: type, kind: str):
    np.save(tmp_path / "a.npy", array)
    data = datasets.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(data.inputs, array)
    assert data.inputs.dtype == dtype and data.inputs.dtype.isnative
    assert data.kind == kind and data.labels is None
    assert data.source == "file a.npy"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npz", npz(foo=[[1.0, 2.0]])),
        ("a.npz", npz(X=[[1.0, 2.0]], y=[3])),
        ("a.npz", npz(foo=[[1.0, 2.0]], labels=[3.0])),
        ("a.npz", npz(inputs=[[1.0, 2.0]], other=[[0.0]])),
        ("a.safetensors", safetensors(foo=[[1.0, 2.0]])),
        ("a.safetensors", safetensors(data=[[1.0, 2.0]], labels=[3])),
        ("a.csv", content(b"1,2\n")),
        ("a.csv", content(b"\xef\xbb\xbfwidth, height\r\n1, 2\r\n\r\n")),
        ("a.csv", content(b'"Label","b","c"\n3,1,"2"\n')),
        ("A.CSV", content(b"1e0,+2.0")),
    ],
)
def test_named_arrays_and_tables(tmp_path: Path, name: str, write: Callable[[Path], None]):
    write(tmp_path / name)
    data = datasets.load(str(tmp_path / name))
    np.testing.assert_array_equal(data.inputs, [[1.0, 2.0]])
    assert data.inputs.dtype == np.float64
    if data.labels is not None:
        assert data.labels.tolist() == [3] and data.labels.dtype == np.int64


def test_labels_are_found(tmp_path: Path):
    npz(x=[[1.0], [2.0]], y=[1, 0])(tmp_path / "a.npz")
    content(b"a,label\n1,1\n2,0\n")(tmp_path / "a.csv")
    for name in ("a.npz", "a.csv"):
        assert datasets.load(tmp_path / name).labels.tolist() == [1, 0]


TWO_NANS = [[1, np.nan], [np.inf, 2]]
HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 4), }\n"
NEGATIVE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4), }\n"
NPY = npy(np.ones((3, 4)))
TENSORS = safetensors(x=np.ones((3, 4)))

BAD = {
    "object": ("npy", npy(np.array([{}], dtype=object), pickled=True), "Python objects.* never unpickled"),
    "pickle": ("npy", content(pickle.dumps([1, 2])), "not a NumPy array file .*pickles too"),
    "empty file": ("npy", content(b""), "not a NumPy array file"),
    "truncated": ("npy", cut(NPY, -5), "truncated; expected 96 bytes .* got 91"),
    "truncated header": ("npy", cut(NPY, 30), "not a NumPy array file"),
    "huge": ("npy", header(HUGE, bytes(64)), "truncated; expected 32000000000000 bytes"),
    "negative": ("npy", header(NEGATIVE, bytes(64)), "negative lengths"),
    "nested header": ("npy", header(b"(" * 9000), "not a NumPy array file"),
    "unary header": ("npy", header(b"-" * 9000 + b"1"), "not a NumPy array file"),
    "complex": ("npy", npy([[1j]]), "got dtype complex128"),
    "text": ("npy", npy([["a"]]), "got dtype <U1"),
    "dates": ("npy", npy(np.zeros((1, 1), "M8[s]")), "got dtype datetime64"),
    "records": ("npy", npy(np.zeros((2, 2), [("a", "f4")])), "got dtype"),
    "wide integers": ("npy", npy([[2**53 + 1]]), r"integers up to 2\*\*53"),
    "no samples": ("npy", npy(np.ones((0, 4))), "at least one sample"),
    "vector": ("npy", npy(np.ones(4)), "samples on axis 0"),
    "not finite": ("npy", npy(TWO_NANS), r"2 NaN or infinite, the first at \(0, 1\)"),
    "not a zip": ("npz", content(b"text"), "cannot be read as a NumPy .npz"),
    "half a zip": ("npz", cut(npz(x=np.ones((3, 4))), 100), "cannot be read as a NumPy .npz"),
    "object in zip": ("npz", npz(x=np.array([{}], dtype=object)), "x: .*Python objects"),
    "ambiguous": ("npz", npz(a=[[1.0]], b=[[1.0]]), "found a, b"),
    "two named": ("npz", npz(x=[[1.0]], images=[[1.0]]), "found x, images"),
    "no array": ("npz", npz(), "found none"),
    "half labels": ("npz", npz(x=[[1.0]], y=[0.5]), "whole numbers as labels, got 0.5"),
    "nan labels": ("npz", npz(x=[[1.0]], y=[np.nan]), "whole numbers as labels, got nan"),
    "text labels": ("npz", npz(x=[[1.0]], y=["cat"]), "got dtype <U3"),
    "few labels": ("npz", npz(x=[[1.0], [2.0]], y=[1]), "labels as 2 integers"),
    "not tensors": ("safetensors", content(b"text" * 9), "cannot be read as a safetensors file"),
    "cut tensors": ("safetensors", cut(TENSORS, -9), "cannot be read as a safetensors file"),
    "two tensors": ("safetensors", safetensors(a=[[1.0]], b=[[1.0]]), "found a, b"),
    "bad cell": ("csv", content(b"a,b\n1,2\n3,x\n"), "line 3, column 2: expected a number, got 'x'"),
    "empty cell": ("csv", content(b"1,2\n3,\n"), "line 2, column 2: expected a number, got ''"),
    "short line": ("csv", content(b"1,2\n\n3\n"), "line 3: expected 2 values, got 1"),
    "underscore": ("csv", content(b"1,1_000\n"), "line 1, column 2"),
    "semicolons": ("csv", content(b"1;2\n3;4\n"), "line 2, column 1: expected a number, got '3;4'"),
    "long cell": ("csv", content(b"1\n" + b"x" * 99), "got 'x{40}\\.\\.\\.'"),
    "header only": ("csv", content(b"a,b\n"), "no line with numbers"),
    "no text": ("csv", content(b""), "no line with numbers"),
    "binary": ("csv", content(b"\xff\xfe\x00"), "cannot be read as comma-separated text"),
    "too long": ("csv", content(b"1" * 200_000), "cannot be read as comma-separated text"),
    "nan cell": ("csv", content(b"1,nan\n"), r"1 NaN or infinite, the first at \(0, 1\)"),
    "labels only": ("csv", content(b"label\n1\n"), "at least one sample with one entry"),
    "two label columns": ("csv", content(b"label,labels,a\n1,1,1\n"), "one column of labels, got 2"),
    "other type": ("txt", content(b"1"), "unknown file type '.txt'; expected a file .npy"),
}


@pytest.mark.parametrize(("suffix", "write", "message"), BAD.values(), ids=BAD.keys())
def test_bad_file(tmp_path: Path, suffix: str, write: Callable[[Path], None], message: str):
    path = tmp_path / f"bad.{suffix}"
    write(path)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value) and "allow_pickle" not in str(caught.value)


def test_flipped_bits_in_a_zip(tmp_path: Path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((3, 4)))
    damaged = bytearray(path.read_bytes())
    damaged[200] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="CRC"):
        datasets.load(path)


def test_bfloat16_has_no_numpy_dtype(tmp_path: Path):
    import torch
    from safetensors.torch import save_file as save_tensors

    save_tensors({"x": torch.ones(2, 3, dtype=torch.bfloat16)}, tmp_path / "a.safetensors")
    with pytest.raises(DataError, match="bfloat16"):
        datasets.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["none.npy", "none/at all", "./none"])
def test_missing_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such"):
        datasets.load(name)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), MemoryError()])
def test_reading_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception):
    def fail(*arguments: object) -> None:
        raise error

    NPY(tmp_path / "a.npy")
    monkeypatch.setattr(_arrays, "_read_array", fail)
    with pytest.raises(DataError, match=r"a\.npy: (cannot be read \(Permission denied\)|does not fit)"):
        datasets.load(tmp_path / "a.npy")
