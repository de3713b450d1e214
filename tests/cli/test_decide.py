"""``unrelu decide`` from end to end."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from unrelu.certificates import load

NARROW = ("decide", "handmade_zoo:narrow", "--input-shape", "4")
INJECTIVE = ("decide", "handmade_zoo:injective", "--input-shape", "3")
GAUSSIAN = ("decide", "handmade_zoo:gaussian", "--input-shape", "32")
BOX = ("--domain", "box:-1,1")


def document(done):
    return json.loads(done.out)


def test_an_injective_network(unrelu):
    done = unrelu(*INJECTIVE)
    assert done.code == 0, done.err
    assert "Injectivity of handmade_zoo:injective" in done.out
    assert re.search(r"^0 +3 → 6 +injective +exact ", done.out, re.MULTILINE)
    assert re.search(r"^2 +6 → 12 +injective +exact ", done.out, re.MULTILINE)
    assert "network: injective; " in done.out


def test_a_network_refuted_by_its_first_layer(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    done = unrelu(*NARROW, "--certificate", proof)
    assert done.code == 3, done.err
    assert "network: not injective; " in done.out
    assert re.search(r"two inputs at distance [0-9.]+ have the same output", done.out)
    assert done.err == f"certificate: {proof}\n"
    for model in ((), ("handmade_zoo:narrow", "--input-shape", "4")):
        checked = unrelu("verify", proof, *model)
        assert checked.code == 0, checked.out
        assert "is not injective" in checked.out and "proved; grade: exact" in checked.out


def test_a_layer_of_an_onnx_file(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    options = ("--layer", "act", *BOX, "--exact", "--certificate", proof, "--json", "-")
    done = unrelu("decide", "model.onnx", *options)
    answer = document(done)
    assert done.code == {"injective": 0, "not injective": 3}[answer["verdict"]]
    assert (answer["layer"], answer["n"], answer["m"]) == ("act", 4, 12)
    assert (answer["domain"], answer["grade"]) == ("box:-1,1", "exact")
    assert f"layer act (4 → 12): {answer['verdict']}" in done.err
    checked = unrelu("verify", proof, "model.onnx")
    assert checked.code == 0, checked.out
    assert "proved; grade: exact" in checked.out
    assert load(proof).domain.inequalities()[1].tolist() == [1.0] * 8


def test_an_injective_layer_is_verified(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    done = unrelu(*INJECTIVE, "--layer", "2", "--certificate", proof)
    assert done.code == 0, done.err
    assert "layer 2 (6 → 12): injective" in done.out and "grade: exact" in done.out
    checked = unrelu("verify", proof, "handmade_zoo:injective", "--input-shape", "3")
    assert checked.code == 0, checked.out


@pytest.mark.parametrize(
    ("option", "grade"), [("--general-position", "exact-general-position"), ("--exact", "exact")]
)
def test_the_grade_asked_for(unrelu, tmp_path, option, grade):
    proof, model = tmp_path / "proof.json", ("handmade_zoo:redundant", "--input-shape", "4")
    done = unrelu("decide", *model, "--layer", "0", option, "--certificate", proof)
    assert done.code == 0, done.err
    assert f"; grade: {grade};" in done.out
    checked = unrelu("verify", proof, *model)
    assert checked.code == 0, checked.out
    assert f"proved; grade: {grade}\n" in checked.out


def test_json_names_every_layer(unrelu, tmp_path):
    done = unrelu(*INJECTIVE, "--json", tmp_path / "answer.json")
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert "network: injective" in done.out
    assert (answer["verdict"], answer["distance"], answer["domain"]) == ("injective", None, "space")
    assert [(part["layer"], part["n"], part["m"]) for part in answer["layers"]] == [("0", 3, 6), ("2", 6, 12)]
    assert all(part["verdict"] == "injective" and part["seconds"] >= 0 for part in answer["layers"])


def test_several_layers_are_proved_together(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    done = unrelu(*INJECTIVE, "--certificate", proof)
    assert done.code == 0, done.err
    checked = unrelu("verify", proof, "handmade_zoo:injective", "--input-shape", "3")
    assert checked.code == 0, checked.out
    assert "2 ReLU layers are injective on R^3\nproved; grade: exact\n" in checked.out


def test_no_time(unrelu, tmp_path):
    done = unrelu(*GAUSSIAN, "--time-limit", "0.05", "--certificate", tmp_path / "p.json", "--json", "-")
    assert done.code == 4
    answer = document(done)
    assert (answer["verdict"], answer["layers"][0]["verdict"]) == ("unknown", "unknown")
    assert "network: unknown; " in done.err
    assert "no certificate: nothing is proved" in done.err
    assert not list(tmp_path.iterdir())


def test_interrupt(unrelu, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unrelu.injectivity.decide", interrupt)
    options = ("--export", tmp_path / "q.vnnlib", "--delta", "0.5", "--json", tmp_path / "answer.json")
    done = unrelu(*NARROW, *BOX, *options)
    assert done.code == 130
    assert "interrupted before there was an answer" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["q.vnnlib"]  # written before


def test_the_question_for_other_verifiers(unrelu, tmp_path):
    query = tmp_path / "q.vnnlib"
    done = unrelu("decide", "model.onnx", *BOX, "--export", query, "--delta", "0.125")
    assert done.code == 3
    assert f"query: {query}, of the network f=model.onnx\n" in done.err
    text = query.read_text()
    assert "(declare-input X1 real [1,4])" in text
    assert "(declare-output Y2 real [1,12])" in text
    assert text.count("0.125)") == 8 and "(assert (>= X2[0,3] -1.0))" in text
    assert [path.name for path in tmp_path.iterdir()] == ["q.vnnlib"]


def test_shapes_are_those_of_the_file(unrelu, files, tmp_path):
    """A model that does not say how long its output is, and one without an axis for the batch."""
    model = onnx.load(files / "model.onnx")
    graph = model.graph
    for axis in graph.output[0].type.tensor_type.shape.dim:
        axis.dim_param = "unknown"
    onnx.save(model, tmp_path / "open.onnx")
    graph.node[0].op_type = "MatMul"
    del graph.node[0].attribute[:]
    weight = numpy_helper.to_array(graph.initializer[0]).T.copy()
    graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "W"))
    for entry, size in ((graph.input[0], 4), (graph.output[0], 12)):
        entry.CopyFrom(helper.make_tensor_value_info(entry.name, TensorProto.FLOAT, [size]))
    onnx.save(model, tmp_path / "flat.onnx")
    for name, shapes in (("open", ("[1,4]", "[1,12]")), ("flat", ("[4]", "[12]"))):
        query = tmp_path / f"{name}.vnnlib"
        done = unrelu("decide", tmp_path / f"{name}.onnx", *BOX, "--export", query, "--delta", "0.125")
        assert done.code == 3, done.err
        assert f"(declare-input X1 real {shapes[0]})" in query.read_text()
        assert f"(declare-output Y2 real {shapes[1]})" in query.read_text()


def test_a_layer_goes_beside_its_question(unrelu, tmp_path):
    query, model = tmp_path / "q.vnnlib", tmp_path / "q.vnnlib.onnx"
    options = ("--layer", "2", *BOX, "--export", query, "--delta", "0.5")
    done = unrelu(*INJECTIVE, *options)
    assert done.code == 0
    assert f"network f={model}\n" in done.err
    assert "(declare-input X1 real [1,6])" in query.read_text()
    x = np.arange(-3.0, 3.0, dtype=np.float32)[None]
    (y,) = ReferenceEvaluator(onnx.load(model)).run(None, {"x": x})
    assert np.array_equal(y, np.maximum(np.hstack([x, -x]), 0))
    again = unrelu(*INJECTIVE, *options)
    assert again.code == 1 and "--force" in again.err
    assert unrelu(*INJECTIVE, *options, "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--layer", "fc9"), "no layer 'fc9'"),
        (("--export", "q.vnnlib"), "--export and --delta go together"),
        (("--delta", "0.5"), "--export and --delta go together"),
        (("--certificate", "a.json", "--json", "a.json"), "two outputs would go to the same file"),
        (("--time-limit", "soon"), "--time-limit"),
        (("--data", "data.npy"), "--data"),
    ],
)
def test_usage(unrelu, files, arguments, told):
    done = unrelu("decide", "model.onnx", *arguments)
    assert done.code == 2
    assert told in " ".join(done.err.replace("│", " ").split())
    assert not (files / "q.vnnlib").exists() and not (files / "a.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--domain", "box:0"), "box:LO,HI"),
        (("--domain", "sphere:1"), "convex"),
        (("--time-limit", "0"), "time_limit"),
        (("--time-limit", "nan"), "time_limit"),
        (("--export", "q.vnnlib", "--delta", "0.5"), "box with finite bounds"),
        (("--export", "q.vnnlib", "--delta", "0.5", "--domain", "ball:1"), "box with finite bounds"),
        (("--export", "q.vnnlib", "--delta", "0", *BOX), "delta"),
        (("--export", "q.vnnlib", "--delta", "nan", *BOX, "--layer", "act"), "delta"),
        (("--export", ".", "--delta", "1", *BOX, "--layer", "act"), "it is a folder"),
        (("--certificate", "none/proof.json"), "does not exist"),
        (("--certificate", "data.npy"), "exists"),
        (("--weights", "w.safetensors"), "goes with package.module:callable"),
    ],
)
def test_refused(unrelu, files, arguments, told):
    before = sorted(path.name for path in files.iterdir())
    done = unrelu("decide", "model.onnx", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done.err
    assert told.lower() in done.err.lower()
    assert sorted(path.name for path in files.iterdir()) == before


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("missing.onnx", "no such file"),
        ("nan.onnx", "'fc' (Gemm)"),
        ("tanh.onnx", "no ReLU"),
        ("handmade_zoo:build", "--input-shape"),
    ],
)
def test_models(unrelu, model, told):
    done = unrelu("decide", model)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert told in done.err
