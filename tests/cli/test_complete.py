"""``unrelu complete`` from end to end."""

import json

import numpy as np
import onnx
import pytest

from tests.layers.surgery.test_onnx import LEVELS, run
from unrelu import Verdict, decide, trace


def test_a_layer(unrelu, files, tmp_path):
    output, proof = tmp_path / "done.onnx", tmp_path / "proof.json"
    done = unrelu("complete", "model.onnx", "--layer", "act", "-o", output, "--certificate", proof)
    assert done.code == 0, done.err
    assert "Completion of model.onnx" in done.out and "exact" in done.out
    assert done.err == f"model: {output}\ncertificate: {proof}\n"
    checked = unrelu("verify", proof, output)
    assert checked.code == 0 and checked.err == "", checked.err
    assert "relu(W x + b) is injective on R^4" in checked.out and "grade: exact" in checked.out
    assert decide(trace(output)["act"]).verdict == Verdict.INJECTIVE
    x = np.random.default_rng(0).standard_normal((1000, 4)).astype(np.float32)
    models = onnx.load(files / "model.onnx"), onnx.load(output)
    for model in models:
        model.ir_version = 8  # onnxruntime lags behind the onnx package
    for level in LEVELS:
        first, second = (run(model, x, level) for model in models)
        assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("domain", ["box:0,1", "ball:2", "orthant"])
def test_domains(unrelu, tmp_path, domain):
    options = ("-o", tmp_path / "done.onnx", "--domain", domain, "--certificate", tmp_path / "p.json")
    done = unrelu("complete", "model.onnx", *options, "--json", "-")
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    (layer,) = answer["layers"]
    assert (answer["domain"], answer["data"], layer["layer"], layer["grade"]) == (
        domain,
        None,
        "act",
        "exact",
    )
    assert layer["added"] == layer["partners"] + 2 * layer["pairs"] + layer["always"] <= 4
    assert unrelu("verify", tmp_path / "p.json", tmp_path / "done.onnx").code == 0


@pytest.mark.parametrize("radius", [0.01, 2.0])
def test_data(unrelu, tmp_path, radius):
    options = ("--data", "data.npy", "--limit", "10", "--radius", str(radius), "-o", tmp_path / "done.onnx")
    proof = ("--certificate", tmp_path / "proof.json")
    done = unrelu("complete", "model.onnx", *options, *proof, "--json", tmp_path / "answer.json")
    assert done.code == 0, done.err
    (layer,) = json.loads((tmp_path / "answer.json").read_text())["layers"]
    assert layer["radius"] > radius and layer["added"] == layer["always"]
    assert "radius" in done.out and layer["grade"] == "exact"
    checked = unrelu("verify", tmp_path / "proof.json", tmp_path / "done.onnx")
    assert checked.code == 0 and checked.err == "", checked.err
    assert f"each input within {radius} of one of 10 points is the only one in R^4" in checked.out
    assert (layer["added"] > 0) == (radius == 2.0)
    assert unrelu("verify", tmp_path / "proof.json", "model.onnx").code == (3 if layer["added"] else 0)
    audited = unrelu("preimage", tmp_path / "done.onnx", "--data", "data.npy", "--limit", "10")
    assert audited.code == 0, audited.err


def test_no_certificate_of_an_input_that_is_alone_by_rows_at_0(unrelu, tmp_path):
    np.save(tmp_path / "origin.npy", np.zeros((1, 4), dtype=np.float32))
    options = ("--data", tmp_path / "origin.npy", "-o", tmp_path / "done.onnx")
    done = unrelu("complete", "model.onnx", *options, "--certificate", tmp_path / "proof.json")
    assert done.code == 1 and "expected strictly active rows" in done.err, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["origin.npy"]
    assert unrelu("complete", "model.onnx", *options).code == 0


def test_existing_files(unrelu, tmp_path):
    output = tmp_path / "done.onnx"
    assert unrelu("complete", "model.onnx", "-o", output).code == 0
    before = output.read_bytes()
    again = unrelu("complete", "model.onnx", "-o", output, "--domain", "box:0,1")
    assert again.code == 1 and "--force" in again.err
    assert output.read_bytes() == before
    assert unrelu("complete", "model.onnx", "-o", output, "--domain", "box:0,1", "--force").code == 0
    assert unrelu("complete", "model.onnx", "-o", output, "--force").code == 0
    assert output.read_bytes() == before  # the same bytes each time


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("model.onnx", "--layer", "fc9"), "no layer 'fc9'"),
        (("missing.onnx",), "no such file"),
        (("truncated.onnx",), "not a readable ONNX model"),
        (("nan.onnx",), "'fc' (Gemm)"),
        (("tanh.onnx",), "no ReLU"),
        (("handmade_zoo:build",), "expected an ONNX file"),
        (("model.pth",), "expected an ONNX file"),
        (("model.onnx", "--domain", "sphere:1"), "Space, Box, Orthant or Ball"),
        (("model.onnx", "--domain", "box:0"), "box:LO,HI"),
        (("model.onnx", "--data", "empty.npy"), "at least one sample"),
        (("model.onnx", "--data", "wide.npy"), "shape (5,)"),
        (("model.onnx", "--data", "data.npy", "--domain", "box:0,1"), "lies outside of the domain"),
        (("model.onnx", "--time-limit", "0"), "time_limit"),
    ],
)
def test_refused(unrelu, tmp_path, arguments, told):
    done = unrelu("complete", *arguments, "-o", tmp_path / "done.onnx")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done.err
    assert told in done.err
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(unrelu, tmp_path):
    done = unrelu("complete", "model.onnx", "-o", tmp_path / "none" / "done.onnx")
    assert done.code == 1 and "does not exist" in done.err
    done = unrelu("complete", "model.onnx", "-o", tmp_path / "a.onnx", "--json", tmp_path / "a.onnx")
    assert done.code == 2 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--radius", "0.5"), "goes with --data"),
        (("--radius", "-1"), "--radius"),
    ],
)
def test_usage(unrelu, files, options, told):
    done = unrelu("complete", "model.onnx", "-o", "done.onnx", *options)
    assert done.code == 2 and told in " ".join(done.err.replace("│", " ").split())
    assert not (files / "done.onnx").exists()
