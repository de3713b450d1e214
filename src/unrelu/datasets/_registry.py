"""The names that `load` knows, each registered by the function that loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unrelu.datasets._dataset import Dataset
from unrelu.errors import ArgumentError, DataError

# (split, folder) -> data; the split is "" for a dataset without splits
Loader = Callable[[str, Path | None], Dataset]


@dataclass(frozen=True)
class _Entry:
    loader: Loader
    splits: tuple[str, ...]


_ENTRIES: dict[str, _Entry] = {}


def register(name: str, splits: tuple[str, ...] = ()) -> Callable[[Loader], Loader]:
    """Decorator that makes ``load(name)``, or ``load("name:split")``, call the function.

    Args:
        name: What users type, without colon.
        splits: The splits of which one must be named; none where the data come whole.

    Raises:
        ArgumentError: The name is taken, or cannot be told from a split or a path.
    """
    if name in _ENTRIES:
        raise ArgumentError(f"dataset {name!r} is already registered")
    if not name or set(name) & set(":/\\."):
        raise ArgumentError(f"name: expected a word without ':', '.' or slashes, got {name!r}")

    def add(loader: Loader) -> Loader:
        _ENTRIES[name] = _Entry(loader, tuple(splits))
        return loader

    return add


def available() -> tuple[str, ...]:
    """Everything that can be loaded by name, such as ``iris`` and ``mnist:train``."""
    return tuple(full for name in sorted(_ENTRIES) for full in _full_names(name))


def find(source: str) -> Callable[[Path | None], Dataset] | None:
    """The loader for a registered name, waiting for the folder; None where the name is not registered.

    Raises:
        DataError: The name is registered, but its split is missing, unknown, or there are none.
    """
    name, colon, split = source.partition(":")
    entry = _ENTRIES.get(name)
    if entry is None:
        return None
    if (split not in entry.splits) if entry.splits else bool(colon):
        raise DataError(f"{source}: expected {' or '.join(_full_names(name))}")
    return lambda folder: entry.loader(split, folder)


def _full_names(name: str) -> list[str]:
    splits = _ENTRIES[name].splits
    return [f"{name}:{split}" for split in splits] if splits else [name]
