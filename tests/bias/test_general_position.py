"""When rows may be counted."""

import numpy as np
import pytest
from torch import nn

from tests.recipes import RECIPES
from unrelu import ReLULayer
from unrelu.bias._general_position import _on_different_lines, criterion
from unrelu.frames import frame_of


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "no_rows"])
def test_rows_said_to_be_on_different_lines_are(name):
    frame = frame_of(RECIPES[name]().layer)
    distinct = np.array_equal(frame.directions.line, np.arange(frame.m))
    rows = frame.rows(np.arange(frame.m))
    if name in {"generic", "huge_rows", "tiny_rows", "all_active"}:
        assert _on_different_lines(rows, frame.norms)
    assert distinct or not _on_different_lines(rows, frame.norms)


def spoiled(index, value) -> np.ndarray:
    weight = np.random.default_rng(0).standard_normal((12, 4))
    weight[index] = value(weight) if callable(value) else value
    return weight


@pytest.mark.parametrize(
    ("weight", "test"),
    [
        (spoiled(0, 1.5), "count"),
        (spoiled((0, [0, 1, 2]), 0.0), "count"),  # fewer zeros than n make no n rows dependent
        (spoiled((slice(4), 2), 0.0), "rank"),
        (spoiled(5, 0.0), "rank"),
        (spoiled(5, lambda W: W[3]), "rank"),
        (spoiled(5, lambda W: -2 * W[3]), "rank"),
        (spoiled(slice(None), np.round), "rank"),
        (np.array([[1.0], [-2.0], [1.0]]), "count"),
        (np.array([[1.0], [-2.0], [0.0]]), "rank"),
    ],
)
def test_choice(weight, test):
    assert criterion(ReLULayer(weight), None).test == test
    assert criterion(ReLULayer(weight), True).test == "count"
    assert criterion(ReLULayer(weight), False).test == "rank"


def test_rows_too_many_to_hold_are_counted_on_request():
    layer = ReLULayer.from_module(nn.Conv2d(64, 1000, 1), (64, 100, 100))
    assert criterion(layer, True).test == "count"
