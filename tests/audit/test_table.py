"""The terminal's view: fits the terminal, says what the figures say, and cannot be subverted by a name."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.audit import factory
from unrelu.audit import _table
from unrelu.audit._figures import Quantiles
from unrelu.audit._result import SkippedNode


def shown(result, width):
    stream = io.StringIO()
    Console(file=stream, width=width).print(_table.summary(result))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("case", factory.CASES)
def test_fits_the_width(case, width):
    text = shown(factory.CASES[case](), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "nan" not in text.lower()


def test_says_what_was_found():
    text = shown(factory.realistic(partial=True), 120)
    for expected in (
        "models/mnist-classifier.onnx",
        "mnist:test · 500 samples of shape 1 × 28 × 28",
        "PARTIAL",
        "784 → 3,072",
        "≈ 784",
        "94.8 %",
        "91.8–97.8 %",
        "/pool/MaxPool",
        "max pooling is not affine",
        "Repeated rows were found",
    ):
        assert expected in text


def test_one_line_holds_all_numbers_at_80_columns():
    line = next(line for line in shown(factory.realistic(), 80).splitlines() if line.startswith("fc1"))
    assert line.split() == ["fc1", "500", "→", "1,568", "3.14", "500", "754", "100", "%"]


def test_the_radius_has_a_scale():
    layer = factory.layer(radius=Quantiles(1.0, 1.0, 3.0, 4.0, 4.0), input_norm=Quantiles(0, 5, 12, 13, 14))
    text = shown(factory.realistic(layers=(layer,)), 80)
    assert "0.25 × ‖x‖" in text
    assert "median norm of the layer's inputs" in text
    assert "‖x‖" not in shown(factory.realistic(layers=(factory.layer(count=0),)), 80)


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ((500, 500), None),
        ((0, 0), "not measured"),
        ((100, 100), "over 100 of"),
        ((20, 100), "over 20 to 100 of"),
    ],
)
def test_says_over_how_many_samples_errors_are(measured, told):
    text = shown(factory.realistic(layers=tuple(factory.layer(reconstructed=k) for k in measured)), 80)
    assert text.count("error and condition number:") == (told is not None)
    assert told is None or f"error and condition number: {told}" in text


def test_an_audit_interrupted_at_once():
    text = shown(factory.realistic(layers=(), partial=True), 80)
    assert "the figures cover 0 of 500 samples" in text
    assert "interrupted before any sample was through" in text


def test_a_long_list_of_skipped_nodes_is_cut():
    nodes = tuple(SkippedNode(f"node_{k}", "Add", "adds several activations") for k in range(123))
    text = shown(factory.realistic(skipped=nodes), 80)
    assert "node_19" in text and "node_20" not in text
    assert "and 103 more" in text


def test_names_cannot_steer_the_terminal():
    text = shown(factory.hostile(), 120)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]" in text
