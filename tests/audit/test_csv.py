"""The spreadsheet's view."""

import csv
import io
import sys

import pytest

from tests.audit import factory
from unrelu.audit import _csv
from unrelu.errors import MissingExtraError, OutputError


def rows(result):
    return list(csv.DictReader(io.StringIO(_csv.to_csv(result))))


@pytest.mark.parametrize("case", factory.CASES)
def test_one_row_a_layer(case):
    result = factory.CASES[case]()
    read = rows(result)
    assert len(read) == len(result.layers)
    for row, layer in zip(read, result.layers, strict=True):
        assert None not in row and None not in row.values()
        assert int(row["m"]) == layer.m
        assert float(row["active_median"]) == layer.active.median
        assert int(row["singleton_count"]) == layer.singleton.count
        assert "nan" not in row.values()


def test_figures_are_unrounded_and_gaps_empty():
    result = factory.realistic()
    first, second, last = rows(result)
    assert float(first["radius_p05"]) == result.layers[0].radius.low
    assert float(first["singleton_share"]) == 472 / 498
    assert (first["in_shape"], first["out_shape"]) == ("1x28x28", "12x16x16")
    assert first["tests"] == "boundary=2; count=478; rank=20"
    assert (first["preimage_bounded"], first["preimage_undecided"]) == ("5", "0")
    assert last["preimage_bounded"] == last["injectivity"] == ""
    assert first["injectivity"] == "not injective"
    assert float(first["error_noisy_median"]) == result.layers[0].error_noisy.median
    assert (first["noisy_samples"], last["noisy_samples"], last["error_noisy_p95"]) == ("200", "0", "")
    assert (second["lipschitz_upper_high"], second["lipschitz_condition_low"]) == ("3.4", "77.5")
    assert (second["lipschitz_complete"], last["lipschitz_complete"]) == ("False", "True")
    assert last["lipschitz_lower_high"] == "0.0"
    assert last["lipschitz_condition_low"] == first["lipschitz_upper_low"] == ""
    assert (first["spectrum_before_rank"], first["spectrum_after_largest"]) == ("60.0", "8.76")
    assert (second["spectrum_after_rank"], second["spectrum_after_condition"]) == ("0.0", "")
    assert last["spectrum_before_smallest"] == ""
    assert last["radius_median"] == last["condition_max"] == ""


def test_no_cell_is_a_formula():
    first, second = rows(factory.hostile())
    assert second["layer"] == "'=1+1"
    assert "\n" not in first["notes"]


def test_writes_a_file_once(tmp_path):
    path = tmp_path / "audit.csv"
    assert _csv.to_csv(factory.realistic(), path) == path.read_text(encoding="utf-8")
    with pytest.raises(OutputError, match="--force"):
        _csv.to_csv(factory.realistic(), path)


def test_frame():
    pytest.importorskip("pandas")
    frame = _csv.to_frame(factory.realistic())
    assert list(frame["layer"]) == ["features.conv1", "fc1", "fc2"]
    assert frame["radius_median"].isna().tolist() == [False, False, True]
    assert list(_csv.to_frame(factory.empty()).columns) == list(frame.columns)


def test_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unrelu\[frame\]'"):
        _csv.to_frame(factory.realistic())
