"""``unrelu spectrum`` from end to end."""

import json

import numpy as np
import pytest
from PIL import Image

DATA = ("spectrum", "model.onnx", "--data", "data.npy")
DIGITS = ("spectrum", "handmade_zoo:digits", "--data", "digits", "--limit", "3")


def test_a_table_of_layers(unrelu):
    done = unrelu(*DATA)
    assert done.code == 0
    assert "along 4 input directions, medians of 20 samples" in " ".join(done.out.split())
    assert "smallest > 0" in done.out and "condition" in done.out
    lines = [line.split() for line in done.out.splitlines()]
    before, after = (next(words for words in lines if side in words) for side in ("before", "after"))
    assert before[:3] == ["act", "12", "before"] and before[5] == "4"
    assert float(after[1]) <= float(before[3])


def test_json_holds_every_value(unrelu):
    done = unrelu(*DATA, "--json", "-", "--limit", "5")
    document = json.loads(done.out)
    assert (document["samples"], document["directions"], document["partial"]) == (5, 4, False)
    layer = document["layers"][0]
    assert layer["name"] == "act" and layer["shape"] == [12]
    assert np.shape(layer["before"]["values"]) == (5, 4) and np.shape(layer["after"]["condition"]) == (5,)
    assert layer["after"]["median"] == np.median(layer["after"]["values"], axis=0).tolist()
    assert document["output"] is None
    assert "Singular values along" in done.err


def test_dead_layers_are_json_all_the_same(unrelu, tmp_path):
    dead = tmp_path / "dead.npy"
    np.save(dead, np.zeros((2, 4)))
    done = unrelu("spectrum", "model.onnx", "--data", dead, "--json", "-")
    assert done.code == 0
    after = json.loads(done.out)["layers"][0]["after"]
    assert after["rank"] == [0, 0] and after["condition"] == [None, None]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_picture_is_drawn(unrelu, tmp_path, ending: str):
    path = tmp_path / f"decay.{ending}"
    done = unrelu(*DIGITS, "-o", path)
    assert done.code == 0, done.err
    assert f"picture: {path}" in done.err.replace("\n", "")
    assert path.stat().st_size > 1000
    if ending == "png":
        with Image.open(path) as image:
            assert image.width > 1000 and len(image.convert("RGB").getcolors(1 << 24)) > 20
    again = unrelu(*DIGITS, "-o", path)
    assert again.code == 1 and "--force" in again.err


def test_a_few_values(unrelu):
    done = unrelu(*DATA, "--method", "lanczos")
    assert done.code == 0
    assert "not known" in " ".join(done.out.split()) and "≥" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("spectrum", "model.onnx", "--data", "wide.npy"), 1, "shape (5,)"),
        (("spectrum", "model.onnx", "--data", "empty.npy"), 1, "at least one sample"),
        ((*DATA, "--window", "2"), 1, "window: expected inputs of shape"),
        ((*DATA, "--window", "two"), 2, "expected whole numbers"),
        ((*DATA, "--layer", "fc9"), 1, "layers: expected some of 'act'"),
        ((*DATA, "--method", "svd"), 1, "method: expected"),
        ((*DATA, "-o", "decay.gif"), 1, "ends in .png, .svg or .pdf"),
    ],
)
def test_refused(unrelu, arguments, code: int, told: str):
    done = unrelu(*arguments)
    assert done.code == code
    assert told in " ".join(done.err.replace("│", " ").split())
    assert done.out == ""


def test_numbers_that_are_none(unrelu, tmp_path):
    bad = tmp_path / "bad.npy"
    np.save(bad, np.full((2, 4), np.nan))
    done = unrelu("spectrum", "model.onnx", "--data", bad)
    assert done.code == 1 and done.err.count("\n") == 1 and "NaN" in done.err


def test_windows_of_images(unrelu):
    fits = unrelu(*DIGITS, "--window", "3,2")
    assert fits.code == 0 and "along 6 input directions" in " ".join(fits.out.split())
    larger = unrelu(*DIGITS, "--window", "9")
    assert larger.code == 1 and "window: expected at most 8 x 8 pixels, got 9 x 9" in larger.err
    assert unrelu(*DIGITS, "--window", "2,2,7,0").code == 1
