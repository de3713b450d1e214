"""Arrays on disk: .npy, .npz and .safetensors. Nothing is unpickled; headers are checked before data."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from unrelu.datasets._convert import as_inputs, as_labels, check_dtype, choose
from unrelu.datasets._dataset import Dataset, kind_of
from unrelu.errors import DataError

_HEADER_READERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# the header is a Python literal, and one made to do harm can exhaust the parser
_BAD_HEADER = (ValueError, KeyError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError)


def read_npy(path: Path) -> Dataset:
    """One array, samples on axis 0.

    Raises:
        DataError: Not a NumPy array file, truncated, or not real numbers.
    """
    with path.open("rb") as stream:
        array = _read_array(str(path), stream, path.stat().st_size)
    return _dataset(path, array, None)


def read_npz(path: Path) -> Dataset:
    """One array, or the one named inputs, x, data or images, with labels named labels or y.

    Raises:
        DataError: Not a zip archive of NumPy arrays, damaged, ambiguous, or not real numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if not i.is_dir()}

            def read(name: str) -> npt.NDArray[Any]:
                with archive.open(members[name]) as stream:
                    return _read_array(f"{path}: {name}", stream, members[name].file_size)

            return _chosen(path, list(members), read)
    # A RuntimeError, or a kind of it: encrypted, or compressed in a way that zipfile does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be read as a NumPy .npz archive ({error})") from error


def read_safetensors(path: Path) -> Dataset:
    """One tensor, or the one named inputs, x, data or images, with labels named labels or y.

    Raises:
        DataError: Not a safetensors file, damaged, ambiguous, or a dtype that NumPy does not know.
    """
    try:
        with safe_open(path, framework="numpy") as archive:
            return _chosen(path, list(archive.keys()), archive.get_tensor)
    except (SafetensorError, TypeError, AttributeError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a safetensors file ({error})") from error


def _chosen(path: Path, names: list[str], read: Callable[[str], npt.NDArray[Any]]) -> Dataset:
    inputs, labels = choose(str(path), names)
    return _dataset(path, read(inputs), None if labels is None else read(labels))


def _dataset(path: Path, array: npt.NDArray[Any], labels: npt.NDArray[Any] | None) -> Dataset:
    inputs = as_inputs(str(path), array)
    classes = None if labels is None else as_labels(str(path), labels)
    return Dataset(str(path), inputs, classes, kind=kind_of(inputs), source=f"file {path.name}")


def _read_array(where: str, stream: IO[bytes], size: int) -> npt.NDArray[Any]:
    """An array in the .npy format, from a file or a member of an archive of `size` bytes."""
    shape, dtype = _read_header(where, stream)
    check_dtype(where, dtype)
    wanted, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if there < wanted:
        raise DataError(f"{where}: truncated; expected {wanted} bytes for shape {shape}, got {there}")
    stream.seek(0)
    try:
        array: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        raise DataError(f"{where}: damaged ({error})") from error
    return array


def _read_header(where: str, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        shape, _, dtype = _HEADER_READERS[version](stream)
    except _BAD_HEADER:
        raise DataError(
            f"{where}: not a NumPy array file (other formats, pickles too, are not opened)"
        ) from None
    if any(length < 0 for length in shape):
        raise DataError(f"{where}: expected a shape without negative lengths, got {shape}")
    return shape, dtype
