"""Formats of pictures, known without loading what draws them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    import os

_FORMATS = ("png", "svg", "pdf")


def picture_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a file's ending names.

    Raises:
        ArgumentError: If it is another one.
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise ArgumentError(f"path: expected a file that ends in .png, .svg or .pdf, got {Path(path).name!r}")
    return ending
