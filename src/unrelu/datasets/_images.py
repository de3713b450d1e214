"""Folders of images, flat or with one subfolder per class."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from unrelu.datasets._dataset import Dataset
from unrelu.datasets._optional import optional
from unrelu.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image
else:  # pillow is optional, and annotations must not need it
    Image = Any

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".pgm", ".ppm")
# no other decoder runs, whatever a file calls itself: some of those that pillow knows start programs
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
_OPAQUE = (255, 255)


def read_folder(path: Path) -> Dataset:
    """All images of a folder, float32 in [0, 1], shape (N, 1, H, W) if gray and (N, 3, H, W) if coloured.

    Files are taken in the order of their names. Subfolders are classes, in the order of their names, and take
    turns, so that the first samples come from all of them.

    Raises:
        DataError: No image, or one that is damaged, of another size, or not 8 bits gray or RGB.
        MissingExtraError: pillow is not installed.
    """
    files, labels, classes = _listing(path)
    first = read_image(files[0], str(files[0]))
    pixels = np.empty((len(files), *first.shape), dtype=np.uint8)
    pixels[0] = first
    for i, file in enumerate(files[1:], start=1):
        pixels[i] = read_image(file, str(file), shape=first.shape)
    return Dataset(
        name=str(path),
        inputs=pixels / np.float32(255),
        labels=None if classes is None else np.array(labels, dtype=np.int64),
        kind="image",
        class_names=classes,
        source=f"{len(files)} images in folder {path.name}",
    )


def read_image(
    file: Path | IO[bytes], where: str, shape: tuple[int, ...] | None = None
) -> npt.NDArray[np.uint8]:
    """The pixels of one image, shape (1, H, W) or (3, H, W), stored orientation.

    Args:
        file: Path or open binary file.
        where: How messages call it.
        shape: What is expected; anything if None.

    Raises:
        DataError: Damaged, transparent, not 8 bits gray or RGB, or of another shape.
        MissingExtraError: pillow is not installed.
    """
    pillow = optional("PIL.Image", where)
    try:
        with pillow.open(file, formats=_FORMATS) as image:
            found = _shape(where, image)
            if shape is not None and found != shape:
                raise DataError(f"{where}: expected an image of shape {shape} like the first, got {found}")
            pixels: npt.NDArray[np.uint8] = np.asarray(_plain(where, image))
    except pillow.UnidentifiedImageError:
        raise DataError(f"{where}: expected an image ({', '.join(_FORMATS)})") from None
    except DataError:
        raise
    # pillow reports damage by OSError, SyntaxError or ValueError, depending on the format
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise DataError(f"{where}: damaged image ({error})") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _shape(where: str, image: Image) -> tuple[int, int, int]:
    """Channels, height and width, known before the pixels are decoded."""
    channels = {"1": 1, "L": 1, "LA": 1, "RGB": 3, "RGBA": 3, "P": 3}.get(image.mode)
    if channels is None:
        raise DataError(f"{where}: expected 8 bits gray or RGB, got image mode {image.mode!r}")
    return channels, image.height, image.width


def _plain(where: str, image: Image) -> Image:
    """The image without palette and without an alpha channel that says nothing."""
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if image.mode in ("P", "RGB") else "LA")
    if image.mode in ("LA", "RGBA"):
        if image.getchannel("A").getextrema() != _OPAQUE:
            raise DataError(f"{where}: expected an opaque image, got transparent pixels")
        return image.convert(image.mode.removesuffix("A"))
    return image.convert("L") if image.mode == "1" else image


def _listing(path: Path) -> tuple[list[Path], list[int], tuple[str, ...] | None]:
    """Files, their classes and the names of the classes (None for a flat folder)."""
    flat = _images_in(path)
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    groups = [_images_in(folder) for folder in folders]
    if flat and any(groups):
        raise DataError(f"{path}: expected images or one subfolder per class, got both ({flat[0].name})")
    if not flat and not any(groups):
        raise DataError(f"{path}: expected images ({', '.join(SUFFIXES)}), found none")
    if flat:
        return flat, [], None
    empty = [folder for folder, group in zip(folders, groups, strict=True) if not group]
    if empty:
        raise DataError(f"{empty[0]}: expected the images of a class, found none")
    turns = [(f, label) for turn in zip_longest(*groups) for label, f in enumerate(turn) if f is not None]
    return [f for f, _ in turns], [label for _, label in turns], tuple(folder.name for folder in folders)


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        f
        for f in folder.iterdir()
        if f.suffix.lower() in SUFFIXES and f.is_file() and not f.name.startswith(".")
    )
