"""The terminal's view: fits the terminal, says what the figures say, and cannot be subverted by a name."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.audit import factory
from unrelu.audit import _table, _words
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


def test_how_errors_grow():
    lines = shown(factory.realistic(), 80).splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("How errors grow"))
    rows = {
        line.split()[0]: line.split()[1:] for line in lines[start + 4 : start + 10] if line.startswith("f")
    }
    median = factory.realistic().layers[1].error_noisy.median
    assert rows["fc1"] == [_words.number(median), "3.1–3.4", "0.02–0.04", "77.5–170"]
    assert rows["fc2"] == ["–", "3.1", "0", "∞"]
    text = "\n".join(lines)
    assert "1 % of their root mean square; over 200 samples given back" in text
    assert "grow and shrink at most by these factors" in text


def test_only_what_there_is():
    bare = factory.layer(error_noisy=None, noisy_samples=0)
    assert "How errors grow" not in shown(factory.realistic(layers=(bare,)), 80)
    noise = shown(factory.realistic(layers=(factory.layer(),)), 80)
    assert "under noise" in noise and "by these factors" not in noise
    constants = shown(factory.realistic(layers=(replace(bare, lipschitz=factory.lipschitz()),)), 80)
    assert "by these factors" in constants and "normal noise" not in constants


def test_singular_values_before_and_after():
    text = shown(factory.realistic(), 80)
    rows = [line.split() for line in text.splitlines()]
    assert ["fc1", "before", "41", "9.87", "0.00987", "1,000"] in rows
    assert ["after", "0", "–", "–", "–"] in rows
    assert "along all 784 inputs; medians of 4 samples" in text
    assert "Singular values" not in shown(factory.realistic(layers=(factory.layer(),)), 80)


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
