"""CIFAR-10 (Krizhevsky 2009): the published binary archive, or a copy as JPEG in two archives."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from unrelu.datasets._dataset import Dataset
from unrelu.datasets._files import Published, check_digest, data_folder, download
from unrelu.datasets._images import read_image
from unrelu.datasets._registry import register
from unrelu.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CITATION = "Krizhevsky 2009, Learning multiple layers of features from tiny images"
# the binary version: the better known python version is a pickle, which would have to be executed
_BINARY = Published(
    "cifar-10-binary.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "md5:c32a1d4ab5d03f1284b67883e8d87530",
)
_JPEG = {
    "train": "sha256:da562f613140bc0e02cddf5f445d493b6a7f90571e314c6a002a9e9e7437208b",
    "test": "sha256:f5b0fd3a36ee60747c94c2aa573af45145f73d741c431908f6b9fa6c6e447997",
}
_BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
_PER_CLASS = {"train": 5000, "test": 1000}
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_BATCH_BYTES = 10_000 * _RECORD


@register("cifar10", splits=("train", "test"))
def cifar10(split: str, folder: Path | None = None) -> Dataset:
    """50,000 or 10,000 colour photographs of 32x32 pixels, float32 in [0, 1].

    A data folder may hold ``cifar-10-binary.tar.gz`` (in its published order), or ``cifar10-train.tar.xz``
    and ``cifar10-test.tar.xz`` (JPEG, thus slightly lossy; the classes take turns).
    """
    given = data_folder("cifar10", folder)
    if given is not None and not (given / _BINARY.name).is_file():
        path = given / f"cifar10-{split}.tar.xz"
        if not path.is_file():
            raise DataError(f"{given}: expected {_BINARY.name} or {path.name}")
        pixels, labels = _from_jpeg(path, split)
        copy = "lossy copy as JPEG"
    else:
        path = download(_BINARY, "cifar10") if given is None else given / _BINARY.name
        pixels, labels = _from_binary(path, split)
        copy = "published binary version"
    return Dataset(
        name=f"cifar10:{split}",
        inputs=pixels / np.float32(255),
        labels=labels,
        kind="image",
        class_names=CLASSES,
        source=f"{_CITATION}; {copy}",
    )


def _from_binary(path: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Records of one byte for the class and 3072 for the pixels, channel by channel."""
    check_digest(path, _BINARY.digest)
    wanted = {f"cifar-10-batches-bin/{name}": name for name in _BATCHES[split]}
    found = {
        wanted[name]: stream.read(_BATCH_BYTES) for name, stream in _members(path, "r:gz") if name in wanted
    }
    missing = [name for name in _BATCHES[split] if len(found.get(name, b"")) != _BATCH_BYTES]
    if missing:
        raise DataError(f"{path}: expected {missing[0]} with {_BATCH_BYTES} bytes")
    content = b"".join(found[name] for name in _BATCHES[split])
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)
    return records[:, 1:].reshape(-1, *_SHAPE), records[:, 0].astype(np.int64)


def _from_jpeg(path: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Members ``split/class/index.jpg``, decoded straight from the archive; sample index * 10 + class."""
    check_digest(path, _JPEG[split])
    count = len(CLASSES) * _PER_CLASS[split]
    pixels = np.empty((count, *_SHAPE), dtype=np.uint8)
    filled = np.zeros(count, dtype=bool)
    for name, stream in _members(path, "r:xz"):
        position = _position(path, name, split)
        pixels[position] = read_image(stream, f"{path}: {name}", shape=_SHAPE)
        filled[position] = True
    if not filled.all():
        raise DataError(f"{path}: expected {count} images, got {int(filled.sum())}")
    return pixels, np.arange(count, dtype=np.int64) % len(CLASSES)


def _position(path: Path, name: str, split: str) -> int:
    folder, _, rest = name.partition("/")
    label, _, file = rest.partition("/")
    index = file.removesuffix(".jpg")
    if folder != split or label not in CLASSES or not index.isdecimal() or int(index) >= _PER_CLASS[split]:
        raise DataError(f"{path}: expected members {split}/<class>/<index>.jpg, got {name!r}")
    return int(index) * len(CLASSES) + CLASSES.index(label)


def _members(path: Path, mode: Literal["r:gz", "r:xz"]) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and streams of the regular files of a tar archive, in its order; nothing is written to disk.

    Yields:
        Name and stream, which must be read before the next one is asked for.

    Raises:
        DataError: The archive is damaged.
    """
    try:
        with tarfile.open(path, mode) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is not None:
                    yield member.name, stream
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path}: cannot be read as a tar archive ({error})") from error
