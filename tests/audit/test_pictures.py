"""The pictures: valid files of sane size, whatever names and numbers they are given."""

import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.audit import factory
from unrelu._drawing import DARK, LIGHT
from unrelu.audit import _image_rows as rows
from unrelu.audit import _pictures as pictures
from unrelu.audit._figures import Example, Histogram


def check(picture):
    """Parse both forms and return the size in pixels of the PNG."""
    root = ElementTree.fromstring(picture.svg())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [node for node in root.iter() if node.tag.endswith("script")]
    png = picture.png(100)
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert 400 <= image.width <= 600
        assert 60 <= image.height <= 2000
        assert len(set(image.convert("L").tobytes())) > 10
    assert len(png) < 1_000_000
    assert picture.alt
    return image.size


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("case", ["realistic", "hostile", "blank", "single"])
def test_pictures(case, theme):
    layers = factory.CASES[case]().layers
    check(pictures.overview(layers, theme))
    for layer in layers:
        check(pictures.active_rows(layer, theme))


@pytest.mark.parametrize(
    "shape", [(8, 8), (1, 8, 8), (3, 8, 8), (1, 40, 3), (3, 5, 60), (1, 1, 1), (700, 500)]
)
def test_images(shape):
    examples = factory.examples(shape, 2)
    assert all(map(rows.drawable, [example.original for example in examples]))
    check(rows.reconstructions("fc1", examples))


@pytest.mark.parametrize("shape", [(64,), (2, 8, 8), (1, 3, 8, 8), (0,), (1, 0, 8)])
def test_what_is_no_image_is_not_drawn(shape):
    assert not rows.drawable(np.zeros(shape))


@pytest.mark.parametrize("fill", [0.0, 1.0, np.nan, np.inf, -1e30])
def test_extreme_pixels(fill):
    image = np.full((1, 6, 6), fill)
    example = Example(3, np.zeros((1, 6, 6)), image, 0, float("nan"))
    check(rows.reconstructions("fc1", [example, replace(example, original=image)]))


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (1, 40, 3)])
@pytest.mark.parametrize("aimed", [True, False])
def test_collisions(shape, aimed):
    shown = factory.collisions(shape)
    if not aimed:
        shown = [replace(c, target_index=None, target=None, target_distance=None) for c in shown]
    picture = rows.collisions("fc1", shown)
    check(picture)
    assert ("to sample 5" in picture.alt) == aimed
    assert "outputs differ by 1e-16" in picture.alt


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_kinds_of_preimages(theme):
    layer = factory.layer(preimages=factory.preimages())
    picture = pictures.preimage_kinds(layer, layer.preimages, theme)
    check(picture)
    assert picture.alt.endswith("3 singleton, 5 bounded, 2 unbounded.")
    assert len(picture.figure.axes[0].patches) == 3


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("ranks", [(60, 41), (60, 0), (0, 0), (1, 1)])
def test_singular_values(ranks, theme):
    layer = factory.layer(spectrum=factory.spectrum(*ranks))
    picture = pictures.singular_values(layer, layer.spectrum, theme)
    check(picture)
    (axes,) = picture.figure.axes
    assert axes.get_yscale() == "log"
    drawn = [len(line.get_xdata()) for line in axes.lines]
    assert drawn == list(ranks)
    assert [line.get_color() for line in axes.lines] == [theme.bar, theme.mark]
    before = "60, from 9.87 to 0.00987" if ranks[0] == 60 else ("1" if ranks[0] else "all are 0")
    assert f"before the ReLU {before}" in picture.alt


def test_captions_and_alternative_texts():
    layer = factory.realistic().layers[0]
    told = [rows.caption(replace(layer.examples[1], singleton=fate)) for fate in (1, 0, -1)]
    for fate, text in zip(("given back", "lost", "undecided"), told, strict=True):
        assert text.startswith(f"sample 17 · {fate} · relative error 0.")
    assert "sample 17 · lost" in rows.reconstructions(layer.name, layer.examples).alt
    assert "784 are needed" in pictures.active_rows(layer).alt
    assert "fc2 0 %" in pictures.overview(factory.realistic().layers).alt


def test_the_mark_at_n_is_inside_the_axes():
    for layer in (*factory.realistic().layers, factory.layer(active_histogram=Histogram((2.0, 3.0), (7,)))):
        low, high = pictures.active_rows(layer).figure.axes[0].get_xlim()
        assert low < layer.n < high


def test_the_user_s_settings_stay_and_do_not_matter(monkeypatch):
    import matplotlib

    first = pictures.active_rows(factory.layer()).svg()
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
    assert pictures.active_rows(factory.layer()).svg() == first
    assert matplotlib.rcParams["axes.facecolor"] == "red"


def test_no_window_is_opened():
    import matplotlib.pyplot as plt

    pictures.active_rows(factory.layer()).png(50)
    assert not plt.get_fignums()
