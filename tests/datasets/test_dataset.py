"""The result type and the registry."""

from pathlib import Path

import numpy as np
import pytest

from unrelu import datasets
from unrelu.datasets import Dataset, _registry
from unrelu.errors import ArgumentError, DataError


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that forgets what the test adds."""
    monkeypatch.setattr(_registry, "_ENTRIES", dict(_registry._ENTRIES))


def table(**changes: object) -> Dataset:
    return Dataset(**{"name": "t", "inputs": np.arange(6.0).reshape(3, 2), "kind": "table"} | changes)


def test_repr_is_one_line():
    data = table(labels=np.array([0, 1, 0]), class_names=("a", "b"))
    assert repr(data) == "Dataset('t', table, shape (3, 2), float64, 2 classes)"
    assert len(data) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.float64(1)}, r"samples on axis 0 .* got shape \(\)"),
        ({"inputs": np.ones(3)}, "samples on axis 0"),
        ({"inputs": np.ones((0, 2))}, "at least one sample"),
        ({"inputs": np.ones((3, 0))}, "with one entry"),
        ({"inputs": np.ones((3, 2), dtype=int)}, "float32 or float64, got int64"),
        (
            {"inputs": np.array([[1, 2], [np.nan, 4], [-np.inf, 6]])},
            r"2 NaN or infinite, the first at \(1, 0\)",
        ),
        ({"kind": "image"}, "does not fit the kind 'image'"),
        ({"labels": np.array([0, 1])}, "labels as 3 integers"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "labels as 3 integers"),
        ({"labels": np.array([0, 1, 2]), "class_names": ("a", "b")}, "labels from 0 to 1, got 0 to 2"),
        ({"labels": np.array([0, 1, -1]), "class_names": ("a", "b")}, "labels from 0 to 1, got -1 to 1"),
    ],
)
def test_what_a_dataset_refuses(changes: dict[str, object], message: str):
    with pytest.raises(DataError, match=f"^t: .*{message}"):
        table(**changes)


def test_take():
    data = table(labels=np.array([2, 1, 0]))
    np.testing.assert_array_equal(data.take(2).inputs, data.inputs[:2])
    np.testing.assert_array_equal(data.take(np.int64(2)).labels, [2, 1])
    assert len(data.take(99)) == 3
    assert table().take(1).labels is None


@pytest.mark.parametrize("limit", [0, -1, 1.0, True, "2", None])
def test_take_refuses(limit: object):
    with pytest.raises(ArgumentError, match="limit: expected a whole number"):
        table().take(limit)


def test_normalized_table():
    data = table()
    mean, std = data.inputs.mean(0), data.inputs.std(0)
    result = data.normalized(mean, std)
    np.testing.assert_allclose(result.inputs.mean(0), 0, atol=1e-15)
    np.testing.assert_allclose(result.inputs.std(0), 1)
    np.testing.assert_array_equal(data.normalized(1, 2).inputs, (data.inputs - 1) / 2)


def test_normalized_images_by_channel(rng: np.random.Generator):
    inputs = rng.random((2, 3, 5, 4), dtype=np.float32)
    result = Dataset("i", inputs, kind="image").normalized([0.1, 0.2, 0.3], [1, 2, 4])
    assert result.inputs.dtype == np.float32 and result.kind == "image"
    np.testing.assert_allclose(result.inputs[1, 2], (inputs[1, 2] - 0.3) / 4, rtol=1e-5)


def test_normalized_other_arrays(rng: np.random.Generator):
    inputs = rng.random((2, 3, 5))
    mean = rng.random((3, 5))
    np.testing.assert_allclose(Dataset("a", inputs).normalized(mean, 2).inputs, (inputs - mean) / 2)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([0, 0, 0], 1, r"mean: expected one number or shape \(2,\) \(features\), got \(3,\)"),
        (0, [1], "std: expected one number or shape"),
        (0, 0, r"std: expected positive numbers, got 0\.0"),
        (0, [1, -1], "std: expected positive"),
        (np.nan, 1, "mean: expected finite"),
        (0, np.inf, "std: expected finite"),
        ("a", 1, "mean: expected numbers"),
    ],
)
def test_normalized_refuses(mean: object, std: object, message: str):
    with pytest.raises(ArgumentError, match=message):
        table().normalized(mean, std)


@pytest.mark.usefixtures("registry")
def test_register_makes_a_name_loadable(tmp_path: Path):
    @datasets.register("halves", splits=("left", "right"))
    def halves(split: str, folder: Path | None) -> Dataset:
        return table(name=f"{split} {folder}")

    assert datasets.load("halves:left", folder=tmp_path).name == f"left {tmp_path}"
    assert "halves:right" in datasets.available()
    with pytest.raises(DataError, match="expected halves:left or halves:right"):
        datasets.load("halves")


@pytest.mark.usefixtures("registry")
def test_register_refuses_a_duplicate():
    with pytest.raises(ArgumentError, match="'iris' is already registered"):
        datasets.register("iris")


@pytest.mark.parametrize("name", ["", "a:b", "a/b", "a.npy"])
def test_register_refuses_what_is_no_name(name: str):
    with pytest.raises(ArgumentError, match="name: expected a word"):
        datasets.register(name)


@pytest.mark.parametrize("name", ["mnits", "", "data.txt"])
def test_unknown_name_says_what_exists(name: str):
    with pytest.raises(DataError) as caught:
        datasets.load(name)
    message = str(caught.value)
    assert message.startswith(f"{name!r}: no such data")
    assert all(word in message for word in [*datasets.available(), ".npy", ".safetensors", ".csv", "folder"])
    assert "\n" not in message


def test_a_name_goes_before_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "iris").mkdir()
    monkeypatch.chdir(tmp_path)
    assert datasets.load("iris").inputs.shape == (150, 4)
