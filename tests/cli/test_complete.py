"""``unrelu complete`` from end to end."""

import json

import numpy as np
import onnx
import pytest

from tests.cli.conftest import onnx_model
from tests.layers.from_onnx.models import Graph, numbers, save
from tests.layers.surgery.test_onnx import LEVELS, run
from unrelu import Verdict, decide, invert, trace
from unrelu.nn.completion import _domain, _points


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


@pytest.fixture
def deep(tmp_path) -> str:
    """A model of two layers whose names are paths."""
    graph = Graph(("batch", 4))
    t = graph.add("Relu", graph.add("Gemm", "x", numbers(4, 3), numbers(3)), name="a/first")
    t = graph.add("Relu", graph.add("Gemm", t, numbers(3, 5), numbers(5)), name="a/second")
    return save(graph.model(graph.add("Gemm", t, numbers(5, 2))), tmp_path, "deep.onnx")


def written(folder) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"deep.onnx"}


@pytest.mark.parametrize("layers", [(), ("--layer", "a/first", "--layer", "a/second")])
def test_several_layers(unrelu, deep, tmp_path, layers):
    """Each has a certificate, and so has the model that ends with the last one."""
    files = [tmp_path / name for name in ("done.onnx", "encoder.onnx", "p.json")]
    output, encoder, proof = files
    done = unrelu("complete", deep, *layers, "-o", output, "--encoder", encoder, "--certificate", proof)
    assert done.code == 0 and f"encoder: {encoder}, condition about " in done.err, done.err
    own = {f"p.a_{name}.json" for name in ("first", "second")}
    assert written(tmp_path) == {"done.onnx", "encoder.onnx", "p.json"} | own
    for name in own:
        checked = unrelu("verify", tmp_path / name, output)
        assert checked.code == 0 and "relu(W x + b) is injective" in checked.out, checked.out
        assert unrelu("verify", tmp_path / name, encoder).code == 0
    checked = unrelu("verify", proof, encoder)
    assert checked.code == 0 and "2 ReLU layers are injective on R^4" in checked.out, checked.out
    assert unrelu("verify", proof, output).code == 3  # its own output is old rows alone
    decided = unrelu("decide", encoder)
    assert decided.code == 0 and "network: injective" in decided.out, decided.out
    x, network = numbers(100, 4), trace(encoder)
    outputs = network.forward(x.astype(np.float64))
    assert np.allclose(run(onnx.load(encoder), x, LEVELS[0]), outputs, rtol=1e-5, atol=1e-5)
    assert np.allclose(invert(network, outputs).x, x, rtol=0, atol=1e-6)
    again = unrelu("complete", deep, "-o", tmp_path / "other.onnx", "--certificate", proof)
    assert again.code == 1 and "--force" in again.err and not (tmp_path / "other.onnx").exists()


def test_a_network_that_is_injective_as_it_is(unrelu, tmp_path):
    """Nothing is appended, and the proofs of its layers make one of the network."""
    graph = Graph(("batch", 2))
    one = np.vstack([np.eye(2), -np.eye(2)]).astype(np.float32)
    t = graph.add("Relu", graph.add("MatMul", "x", one.T), name="first")
    t = graph.add("Relu", graph.add("MatMul", t, np.hstack([np.eye(4), -np.eye(4)]).astype(np.float32)))
    model = save(graph.model(graph.add("MatMul", t, numbers(8, 9))), tmp_path)
    output, proof = tmp_path / "done.onnx", tmp_path / "p.json"
    done = unrelu("complete", model, "-o", output, "--certificate", proof)
    assert done.code == 0 and f"certificate: {proof}\n" in done.err, done.err
    checked = unrelu("verify", proof, output)
    assert checked.code == 0 and "2 ReLU layers and an affine map are injective" in checked.out, checked.out


def test_several_layers_at_data(unrelu, deep, tmp_path):
    np.save(tmp_path / "x.npy", numbers(20, 4))
    options = ("-o", tmp_path / "done.onnx", "--certificate", tmp_path / "p.json")
    done = unrelu("complete", deep, "--data", tmp_path / "x.npy", *options)
    assert done.code == 0, done.err
    assert written(tmp_path) == {"x.npy", "done.onnx", "p.a_first.json", "p.a_second.json"}
    for name in ("first", "second"):
        checked = unrelu("verify", tmp_path / f"p.a_{name}.json", tmp_path / "done.onnx")
        assert checked.code == 0 and "each one of 20 points" in checked.out, checked.out


def test_no_time_for_a_certificate(unrelu, tmp_path):
    """The model is written, what is missing is said, and the exit code tells."""
    options = ("--data", "data.npy", "--time-limit", "1e-9", "-o", tmp_path / "done.onnx")
    done = unrelu("complete", "model.onnx", *options, "--certificate", tmp_path / "p.json", "--json", "-")
    assert done.code == 4, done.err
    assert "no certificate of layer 'act': time limit: 0 of " in done.err
    assert json.loads(done.out)["layers"][0]["reason"].startswith("time limit")
    assert written(tmp_path) == {"done.onnx"}
    assert unrelu("complete", "model.onnx", *options, "--force").code == 0  # none was asked for


@pytest.mark.parametrize("data", [True, False])
def test_interrupted(unrelu, tmp_path, monkeypatch, data):
    """With the rows at hand the model is written without its certificate, before that nothing is."""

    def stops(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_points, "certify_singletons", stops)
    monkeypatch.setattr(_domain, "decide", stops)
    options = ("-o", tmp_path / "done.onnx", "--certificate", tmp_path / "p.json")
    done = unrelu("complete", "model.onnx", *options, *(("--data", "data.npy") if data else ()))
    assert done.code == 130, done.err
    assert written(tmp_path) == ({"done.onnx"} if data else set())
    told = "interrupted: 0 of 20 samples" if data else "interrupted before the model was completed"
    assert told in done.out + done.err


def test_condition(unrelu, tmp_path):
    """An injective layer whose rows are nearly dependent is completed, or there is a warning."""
    one, other = tmp_path / "model.onnx", tmp_path / "done.onnx"
    basis = np.array([[1.0, 0.0], [1.0, 2.0**-20]])
    onnx.save(onnx_model(np.vstack([basis, -basis])), one)
    done = unrelu("complete", one, "-o", other, "--condition", "1000", "--json", "-")
    (layer,) = json.loads(done.out)["layers"]
    assert layer["added"] == 2 and layer["condition"] < 10 and "warning" not in done.err
    done = unrelu("complete", one, "-o", other, "--force")
    assert done.code == 0 and "condition" in done.out and "warning" not in done.out
    entangled = np.array([[1.0, 0.0], [1.0, 2.0**-40]])
    onnx.save(onnx_model(np.vstack([entangled, -entangled])), one)
    done = unrelu("complete", one, "-o", other, "--force", "--json", "-")
    assert json.loads(done.out)["layers"][0]["added"] == 2
    done = unrelu("complete", one, "-o", other, "--condition", "0.5", "--force")
    assert done.code == 1 and "condition: expected a number above 1" in done.err


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


def test_an_input_that_is_alone_by_rows_at_0(unrelu, tmp_path):
    np.save(tmp_path / "origin.npy", np.zeros((1, 4), dtype=np.float32))
    options = ("--data", tmp_path / "origin.npy", "-o", tmp_path / "done.onnx")
    done = unrelu("complete", "model.onnx", *options, "--certificate", tmp_path / "proof.json")
    assert done.code == 0, done.err
    checked = unrelu("verify", tmp_path / "proof.json", tmp_path / "done.onnx")
    assert checked.code == 0 and "rows at 0 leave no direction to go" in checked.out


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
