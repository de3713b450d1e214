"""``unrelu invert`` from end to end."""

import json

import numpy as np
import pytest

import unrelu as library

FROM = ("invert", "model.onnx", "--from", "data.npy")


@pytest.fixture
def outputs(files):
    """Outputs of the model's layer, and others that are none."""
    layer = library.trace(files / "model.onnx")[0]
    y = layer.apply(np.load(files / "data.npy"))
    np.save(files / "outputs.npy", y)
    np.save(files / "negative.npy", y - 1.0)
    np.save(files / "random.npy", np.random.default_rng(0).uniform(0.5, 1, (5, 12)))
    np.save(files / "short.npy", y[:, :5])
    np.save(files / "not_finite.npy", np.where(y == y.max(), np.nan, y))
    return y


def test_reconstructions_are_written(unrelu, outputs, files, tmp_path):
    target = tmp_path / "x.npy"
    done = unrelu("invert", "model.onnx", "--data", "outputs.npy", "-o", target, "--json", "-")
    assert done.code == 0, done.err
    answers = json.loads(done.out)
    unique = np.array(answers["unique"])
    assert 0 < unique.sum() < 20
    x = np.load(files / "data.npy")
    assert np.abs(np.load(target) - x)[unique].max() <= 1e-9
    assert all((bound is not None) == one for bound, one in zip(answers["error_bound"], unique, strict=True))
    assert "Inputs of layer act (4 → 12) from 20 outputs" in done.err
    assert str(target) in done.err.replace("\n", "")
    again = unrelu("invert", "model.onnx", "--data", "outputs.npy", "-o", target)
    assert again.code == 1 and "--force" in again.err


def test_inputs_are_compared(unrelu):
    done = unrelu(*FROM, "--json", "-")
    answers = json.loads(done.out)
    errors = np.array(answers["error"])
    assert errors[answers["unique"]].max() <= 1e-9
    assert answers["expected_error"] == [0.0] * 20


@pytest.mark.parametrize("noise", ["0.01", "float16", "q8"])
def test_noise(unrelu, noise):
    done = unrelu(*FROM, "--noise", noise, "--json", "-")
    assert done.code == 0, done.err
    answers = json.loads(done.out)
    unique = np.array(answers["unique"])
    errors, expected = (np.array(answers[name])[unique] for name in ("error", "expected_error"))
    assert 0.2 < np.sqrt(np.mean(errors**2) / np.mean(expected**2)) < 5
    assert "expected" in done.err


def test_a_domain_makes_more_inputs_unique(unrelu):
    plain, boxed = (
        json.loads(unrelu(*FROM, *more, "--json", "-").out) for more in ((), ("--domain", "space"))
    )
    assert np.sum(boxed["unique"]) >= np.sum(plain["unique"])
    assert "constrained" in boxed["method"]


def test_a_whole_network(unrelu):
    done = unrelu("invert", "handmade_zoo:wide", "--from", "data.npy", "--whole", "--json", "-")
    assert done.code == 0, done.err
    answers = json.loads(done.out)
    assert sum(answers["unique"]) > 10 and answers["lost_at"] is None
    assert [row["name"] for row in answers["layers"]] == ["0"]
    assert np.array(answers["error"])[answers["unique"]].max() <= 1e-9
    narrow = unrelu("invert", "handmade_zoo:narrow", "--from", "data.npy", "--whole")
    assert "information is lost at 0: 4 inputs, 2 outputs" in narrow.out


def test_outputs_of_another_layer_are_told(unrelu, outputs):
    done = unrelu("invert", "model.onnx", "--data", "random.npy")
    assert done.code == 0
    assert "5 of 5 outputs are not met by their reconstructions: residual up to" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--data", "negative.npy"), "negative entries"),
        (("--data", "short.npy"), "expected an array of shape (..., 12)"),
        (("--data", "not_finite.npy"), "nan"),
        (("--data", "empty.npy"), "empty.npy"),
        (("--data", "missing.npy"), "missing.npy"),
        (("--data", "pickled.npy"), "pickled.npy"),
        (("--from", "wide.npy"), "wide.npy"),
        (("--from", "data.npy", "--method", "guess"), "method: expected one of"),
        (("--from", "data.npy", "--domain", "ball:1"), "ball"),
        (("--from", "data.npy", "-o", "missing/x.npy"), "missing"),
    ],
)
def test_refused(unrelu, outputs, arguments, told):
    done = unrelu("invert", "model.onnx", *arguments)
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert told.lower() in done.err.lower()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "exactly one of the two"),
        (("--data", "a.npy", "--from", "data.npy"), "exactly one of the two"),
        (("--from", "data.npy", "--whole", "--layer", "act"), "goes without --layer"),
        (("--from", "data.npy", "--layer", "fc9"), "no layer 'fc9'"),
        (("--from", "data.npy", "--noise", "loud"), "standard deviation"),
        (("--from", "data.npy", "--noise", "-1"), "standard deviation"),
    ],
)
def test_usage(unrelu, arguments, told):
    done = unrelu("invert", "model.onnx", *arguments)
    assert done.code == 2
    assert told in " ".join(done.err.replace("│", " ").split())
