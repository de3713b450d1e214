"""MNIST (LeCun, Cortes, Burges 1998): four gzipped IDX files."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unrelu.datasets._dataset import Dataset
from unrelu.datasets._files import Published, check_digest, data_folder, download
from unrelu.datasets._registry import register
from unrelu.errors import DataError

_HOME = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FILES = {
    name: Published(name, _HOME + name, f"md5:{md5}")
    for name, md5 in {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }.items()
}
# of the uncompressed files: gzip of the same bytes differs from one copy to the next
_CONTENT = {
    "train-images-idx3-ubyte.gz": "md5:6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "md5:a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "md5:2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "md5:27ae3e4e09519cfbb04c329615203637",
}
_PARTS = {"train": ("train", 60_000), "test": ("t10k", 10_000)}
_IMAGE_HEADER, _LABEL_HEADER = 16, 8


@register("mnist", splits=("train", "test"))
def mnist(split: str, folder: Path | None = None) -> Dataset:
    """60,000 or 10,000 handwritten digits of 28x28 pixels, float32 in [0, 1]."""
    prefix, count = _PARTS[split]
    pixels = _unpack(f"{prefix}-images-idx3-ubyte.gz", _IMAGE_HEADER, (count, 1, 28, 28), folder)
    labels = _unpack(f"{prefix}-labels-idx1-ubyte.gz", _LABEL_HEADER, (count,), folder)
    return Dataset(
        name=f"mnist:{split}",
        inputs=pixels / np.float32(255),
        labels=labels.astype(np.int64),
        kind="image",
        class_names=tuple("0123456789"),
        source="LeCun, Cortes and Burges 1998, The MNIST database of handwritten digits",
    )


def _unpack(name: str, header: int, shape: tuple[int, ...], folder: Path | None) -> npt.NDArray[Any]:
    """The bytes behind the header; the digest vouches for what the header says."""
    given = data_folder("mnist", folder)
    path = download(_FILES[name], "mnist") if given is None else given / name
    content = _gunzip(path, limit=header + int(np.prod(shape)))
    check_digest(path, _CONTENT[name], content)
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _gunzip(path: Path, limit: int) -> bytes:
    """At most one byte more than expected, so that a file that unpacks without end does no harm."""
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read as a gzip file ({reason})") from error
