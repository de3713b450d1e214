"""One door to all data: a registered name, or a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from unrelu.datasets import _arrays, _csv, _images, _registry
from unrelu.datasets._dataset import Dataset
from unrelu.errors import DataError

_READERS: dict[str, Callable[[Path], Dataset]] = {
    ".npy": _arrays.read_npy,
    ".npz": _arrays.read_npz,
    ".safetensors": _arrays.read_safetensors,
    ".csv": _csv.read_csv,
}


def load(source: str | Path, *, folder: str | Path | None = None) -> Dataset:
    """Data by name or from disk.

    Names: ``iris`` (float64, shape (150, 4)), ``digits`` (float64 in [0, 1], shape (1797, 1, 8, 8)),
    ``mnist:train``, ``mnist:test`` (float32 in [0, 1], shape (N, 1, 28, 28)), ``cifar10:train``,
    ``cifar10:test`` (float32 in [0, 1], shape (N, 3, 32, 32)). Paths: ``.npy``, ``.npz``, ``.safetensors``,
    ``.csv``, or a folder of images. Numbers in files stay as they are, pixels of images are divided by 255.

    Args:
        source: The name or path; a name goes before a path of the same spelling.
        folder: Where ``mnist/`` and ``cifar10/`` lie. If None, the environment variable UNRELU_DATA names it;
            without one the files are downloaded once into the cache of the user. Digests are always checked.

    Returns:
        The data, checked to be finite and complete.

    Raises:
        DataError: There is no such name or file, or the file is not what it should be; the message names it.
        MissingExtraError: The data need a library that is not installed.
    """
    loader = _registry.find(source) if isinstance(source, str) else None
    if loader is not None:
        return loader(None if folder is None else Path(folder))
    path = Path(source)
    if source == "":
        raise DataError(_unknown(""))
    try:
        return _read(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError:
        raise DataError(f"{path}: does not fit into memory") from None


def _read(path: Path) -> Dataset:
    if path.is_dir():
        return _images.read_folder(path)
    reader = _READERS.get(path.suffix.lower())
    if not path.exists():
        looks_like_path = reader is not None or len(path.parts) > 1
        raise DataError(f"{path}: no such file" if looks_like_path else _unknown(str(path)))
    if reader is None or not path.is_file():
        raise DataError(f"{path}: unknown file type {path.suffix!r}; expected {_accepted()}")
    return reader(path)


def _unknown(name: str) -> str:
    return f"{name!r}: no such data; expected {', '.join(_registry.available())}, or {_accepted()}"


def _accepted() -> str:
    return f"a file {', '.join(_READERS)}, or a folder of images ({', '.join(_images.SUFFIXES)})"
