"""Folders of images."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unrelu import datasets
from unrelu.errors import DataError, MissingExtraError

GRAY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
COLOUR = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=-1)


def save(path: Path, pixels: np.ndarray = COLOUR, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)


def test_colour(tmp_path: Path):
    save(tmp_path / "b.png", 255 - COLOUR)
    save(tmp_path / "a.bmp", COLOUR)
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    data = datasets.load(tmp_path)
    assert data.inputs.shape == (2, 3, 4, 5) and data.inputs.dtype == np.float32
    assert data.kind == "image" and data.labels is None and data.class_names is None
    np.testing.assert_array_equal(data.inputs[0], COLOUR.transpose(2, 0, 1) / np.float32(255))
    np.testing.assert_allclose(data.inputs[1], 1 - data.inputs[0], atol=1e-6)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.pgm", "a.PNG"])
def test_gray(tmp_path: Path, name: str):
    save(tmp_path / name, GRAY)
    data = datasets.load(str(tmp_path))
    np.testing.assert_array_equal(data.inputs, GRAY[None, None] / np.float32(255))


def test_classes_take_turns(tmp_path: Path):
    for name, count in (("dog", 1), ("cat", 3), ("emu", 2)):
        for i in range(count):
            save(tmp_path / name / f"{i}.png", GRAY + i)
    (tmp_path / ".git").mkdir()
    data = datasets.load(tmp_path)
    assert data.class_names == ("cat", "dog", "emu")
    assert data.labels.tolist() == [0, 1, 2, 0, 2, 0]
    np.testing.assert_array_equal(np.round(data.inputs[:, 0, 0, 0] * 255), [0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_modes_that_say_the_same(tmp_path: Path, mode: str):
    save(tmp_path / "a.png", np.where(COLOUR > 99, 255, 0).astype(np.uint8), mode)
    inputs = datasets.load(tmp_path).inputs
    np.testing.assert_array_equal(inputs[0], (COLOUR > 99).transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["1", "LA"])
def test_gray_modes_that_say_the_same(tmp_path: Path, mode: str):
    save(tmp_path / "a.png", np.where(GRAY > 99, 255, 0).astype(np.uint8), mode)
    np.testing.assert_array_equal(datasets.load(tmp_path).inputs[0, 0], GRAY > 99)


def test_transparent_colour_of_a_png(tmp_path: Path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png", transparency=tuple(int(v) for v in COLOUR[0, 0]))
    with pytest.raises(DataError, match=r"a\.png: expected an opaque image"):
        datasets.load(tmp_path)


def other_size(folder: Path) -> None:
    save(folder / "a.png")
    save(folder / "b.png", COLOUR[:3])


def mixed_modes(folder: Path) -> None:
    save(folder / "a.png")
    save(folder / "b.png", GRAY)


def sixteen_bits(folder: Path) -> None:
    save(folder / "b.png", GRAY.astype(np.uint16))


def transparent(folder: Path) -> None:
    save(folder / "b.png", np.dstack([COLOUR, GRAY]))


def cmyk(folder: Path) -> None:
    save(folder / "b.jpg", COLOUR, "CMYK")


def text(folder: Path) -> None:
    (folder / "b.png").write_text("no image")


def postscript(folder: Path) -> None:
    """A format whose decoder runs another program, under an innocent name."""
    Image.fromarray(COLOUR).save(folder / "b.png", format="EPS")


def truncated(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save(folder / "b.png", noise)
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:5000])


def truncated_jpeg(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save(folder / "b.jpg", noise)
    (folder / "b.jpg").write_bytes((folder / "b.jpg").read_bytes()[:2000])


def flat_and_classes(folder: Path) -> None:
    save(folder / "b.png")
    save(folder / "class" / "c.png")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (other_size, r"expected an image of shape \(3, 4, 5\) like the first, got \(3, 3, 5\)"),
        (mixed_modes, r"expected an image of shape \(3, 4, 5\) like the first, got \(1, 4, 5\)"),
        (sixteen_bits, "expected 8 bits gray or RGB, got image mode 'I;16'"),
        (transparent, "got transparent pixels"),
        (cmyk, "got image mode 'CMYK'"),
        (text, "expected an image"),
        (postscript, "expected an image"),
        (truncated, "damaged image"),
        (truncated_jpeg, "damaged image"),
        (flat_and_classes, "got both"),
    ],
)
def test_bad_folder(tmp_path: Path, make: object, message: str):
    make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load(tmp_path)
    assert "b." in str(caught.value) and "\n" not in str(caught.value)


def test_no_image(tmp_path: Path):
    with pytest.raises(DataError, match=r"expected images .* found none"):
        datasets.load(tmp_path)
    save(tmp_path / "cat" / "a.png")
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match="dog: expected the images of a class"):
        datasets.load(tmp_path)


def test_an_image_too_large_to_be_honest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save(tmp_path / "b.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(DataError, match=r"b\.png: damaged image .*exceeds limit"):
        datasets.load(tmp_path)


def test_missing_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r"needs PIL.* 'unrelu\[data\]'"):
        datasets.load(tmp_path)
