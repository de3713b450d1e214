"""``unrelu audit`` from end to end."""

import csv
import json

import jsonschema
import pytest
from safetensors.torch import save_file
from torch import nn

from unrelu.audit._json import from_dict, schema


def validated(text):
    document = json.loads(text)
    jsonschema.validate(document, schema(), jsonschema.Draft202012Validator)
    return from_dict(document)


def test_onnx_model_to_report_json_and_csv(shell, tmp_path):
    report, figures, table = (tmp_path / name for name in ("report.html", "audit.json", "audit.csv"))
    done = shell("audit", "model.onnx", "--data", "data.npy", "-o", report, "--json", figures, "--csv", table)
    assert done.code == 0
    assert done.err == f"report: {report}\n"
    assert "Audit of model.onnx" in done.out
    assert "Verdict" in done.out
    page = report.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    result = validated(figures.read_text(encoding="utf-8"))
    assert (result.model, result.data, result.samples) == ("model.onnx", "data.npy", 20)
    assert not result.partial
    (layer,) = result.layers
    assert (layer.n, layer.m, layer.samples, layer.reconstructed) == (4, 12, 20, 20)
    (row,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert row["singleton_count"] == str(layer.singleton.count)
    assert sorted(tmp_path.iterdir()) == sorted([report, figures, table])


def test_json_alone_on_standard_output(shell):
    done = shell("audit", "model.onnx", "--data", "data.npy", "--limit", "5", "--json", "-")
    assert done.code == 0
    assert validated(done.out).samples == 5
    assert "Audit of model.onnx" in done.err


def test_existing_files_stay(unrelu, tmp_path):
    kept, other = tmp_path / "kept.html", tmp_path / "other.json"
    kept.write_text("mine")
    arguments = ("audit", "model.onnx", "--data", "data.npy", "-o", kept, "--json", other)
    done = unrelu(*arguments)
    assert done.code == 1
    assert done.err.count("\n") == 1 and "--force" in done.err
    assert kept.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.html"]
    assert unrelu(*arguments, "--force").code == 0
    assert "<html" in kept.read_text(encoding="utf-8")
    assert other.exists()


def test_options_reach_the_data(unrelu):
    options = ("--limit", "8", "--reconstruct", "3", "--mean", "1,2,3,4", "--std", "2", "--json", "-")
    (layer,) = validated(unrelu("audit", "model.onnx", "--data", "data.npy", *options).out).layers
    (plain,) = validated(unrelu("audit", "model.onnx", "--data", "data.npy", "--json", "-").out).layers
    assert (layer.samples, layer.reconstructed) == (8, 3)
    assert layer.input_norm.median != plain.input_norm.median


def test_errors_over_fewer_samples_are_told(unrelu):
    done = unrelu("audit", "model.onnx", "--data", "data.npy", "--reconstruct", "3")
    assert "error and condition number: over 3 of the samples, evenly spread" in done.out
    done = unrelu("audit", "model.onnx", "--data", "data.npy", "--reconstruct", "0")
    assert "error and condition number: not measured" in done.out


def test_spectra_and_constants(unrelu):
    (layer,) = validated(unrelu("audit", "model.onnx", "--data", "data.npy", "--json", "-").out).layers
    assert (layer.spectrum.samples, layer.spectrum.directions, layer.spectrum.before.rank) == (4, 4, 4)
    assert layer.lipschitz.points == 4 and layer.lipschitz.upper.low > 0
    options = ("--spectra", "2", "--lipschitz", "0", "--json", "-")
    (layer,) = validated(unrelu("audit", "model.onnx", "--data", "data.npy", *options).out).layers
    assert layer.spectrum.samples == 2 and layer.lipschitz is None
    done = unrelu("audit", "model.onnx", "--data", "data.npy", "--spectra", "0")
    assert "Singular values" not in done.out and "How errors grow" in done.out


def test_callable_from_the_current_folder(shell):
    done = shell("audit", "handmade_zoo:build", "--data", "data.npy", "--json", "-")
    assert done.code == 0
    result = validated(done.out)
    assert result.model == "handmade_zoo:build"
    assert [layer.name for layer in result.layers] == ["0"]


@pytest.mark.parametrize("shape", ["4", "1,4"])
def test_callable_with_weights(unrelu, tmp_path, shape):
    model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 3))
    nn.init.zeros_(model[0].weight)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    arguments = ("audit", "handmade_zoo:build", "--data", "data.npy", "--input-shape", shape, "--json", "-")
    done = unrelu(*arguments, "--weights", tmp_path / "weights.safetensors")
    assert done.code == 0
    (layer,) = validated(done.out).layers
    assert (layer.zero_rows, layer.singleton.count) == (12, 0)


def test_a_reader_that_leaves_does_not_cost_the_report(unrelu, monkeypatch, tmp_path):
    from rich.console import Console

    def gone(*_):
        raise BrokenPipeError

    monkeypatch.setattr(Console, "print", gone)
    monkeypatch.setattr("sys.stderr.close", lambda: None, raising=False)
    assert unrelu("audit", "model.onnx", "--data", "data.npy", "-o", tmp_path / "r.html").code == 1
    assert (tmp_path / "r.html").exists()
