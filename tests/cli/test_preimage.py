"""``unrelu preimage``, ``unrelu collide`` and ``unrelu verify`` from end to end."""

import json

import numpy as np
import pytest
from PIL import Image

PREIMAGE = ("preimage", "model.onnx", "--data", "data.npy")
COLLIDE = ("collide", "model.onnx", "--data", "data.npy", "--index", "0")
DIGITS = ("collide", "handmade_zoo:digits", "--data", "digits", "--index", "0")


def document(done):
    return json.loads(done.out)


def test_a_table_over_all_samples(unrelu):
    done = unrelu("preimage", "model.onnx", "--data", "data.npy")
    assert done.code == 0
    assert "Preimages of layer act (4 → 12)" in done.out
    assert "of 20 settled without a linear program" in done.out


def test_json_of_all_samples(unrelu):
    done = unrelu(*PREIMAGE, "--json", "-")
    answers = document(done)
    assert len(answers["kinds"]) == len(answers["dimensions"]) == len(answers["active"]) == 20
    assert set(answers["kinds"]) <= {"singleton", "bounded", "unbounded"}
    assert "Preimages of layer" in done.err


def test_certificate_of_one_sample_is_verified(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    options = ("--index", "3", "--domain", "box:-4,4", "--certificate", proof, "--json", "-")
    done = unrelu(*PREIMAGE, *options)
    assert done.code == 0
    words = {"singleton": "is a single point", "bounded": "is bounded", "unbounded": "is unbounded"}
    stated = words[document(done)["kind"]]
    for model in ((), ("model.onnx",)):
        checked = unrelu("verify", proof, *model)
        assert checked.code == 0, checked.err
        assert stated in checked.out and "proved; grade: exact" in checked.out


def test_a_changed_certificate_is_refused(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    unrelu(*PREIMAGE, "--index", "3", "--certificate", proof)
    stated = json.loads(proof.read_text())
    stated["dimension"] += 1
    proof.write_text(json.dumps(stated))
    done = unrelu("verify", proof)
    assert done.code == 3
    assert "not proved" in done.out


def test_a_certificate_of_another_model(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    unrelu(*PREIMAGE, "--index", "3", "--certificate", proof)
    done = unrelu("verify", proof, "handmade_zoo:build", "--input-shape", "4")
    assert done.code in {1, 3}
    assert "proved; grade" not in done.out


def test_a_collision_with_its_proof(unrelu, tmp_path):
    folder = tmp_path / "found"
    options = ("--index", "0", "--towards-sample", "1", "--layer", "0", "-o", folder)
    done = unrelu("collide", "handmade_zoo:narrow", "--data", "data.npy", *options)
    assert done.code == 0, done.err
    facts = json.loads((folder / "collision.json").read_text())
    assert facts["distance"] > 0 and facts["output_difference"] <= 1e-6
    assert np.load(folder / "other.npy", allow_pickle=False).size == 4
    checked = unrelu("verify", folder / "certificate.json")
    assert checked.code == 0, checked.out
    assert not (folder / "pair.png").exists()  # the samples are no images
    again = unrelu("collide", "handmade_zoo:narrow", "--data", "data.npy", *options)
    assert again.code == 1 and "--force" in again.err


def test_images_are_drawn(unrelu, tmp_path):
    folder = tmp_path / "found"
    options = ("--index", "0", "--towards", "1", "-o", folder)
    done = unrelu("collide", "handmade_zoo:digits", "--data", "digits", *options)
    assert done.code == 0, done.err
    with Image.open(folder / "pair.png") as picture:
        assert picture.width > 300
    other = np.load(folder / "other.npy", allow_pickle=False)
    assert other.min() >= 0 and other.max() <= 1


def test_a_singleton_has_no_collision(unrelu):
    done = unrelu("collide", "handmade_zoo:wide", "--data", "data.npy", "--index", "0")
    assert done.code == 3
    assert done.out == "sample 0 is the only input with its output\n"


def test_normalised_images_keep_their_box(unrelu, tmp_path):
    folder = tmp_path / "found"
    options = ("--index", "0", "--towards", "1", "--mean", "0.5", "--std", "0.25", "-o", folder)
    assert unrelu("collide", "handmade_zoo:digits", "--data", "digits", *options).code == 0
    other = np.load(folder / "other.npy", allow_pickle=False)
    assert other.min() >= -2 and other.max() <= 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*PREIMAGE, "--index", "20"), "below 20"),
        ((*PREIMAGE, "--layer", "fc9"), "no layer 'fc9'"),
        ((*PREIMAGE, "--certificate", "p.json"), "--index"),
        ((*PREIMAGE, "--index", "1", "--limit", "2"), "--index"),
        ((*COLLIDE, "--towards", "3"), "no classes"),
        (
            (*COLLIDE, "--towards-sample", "99"),
            "below 20",
        ),
        (
            (*DIGITS, "--towards", "11"),
            "class 11",
        ),
    ],
)
def test_usage(unrelu, arguments, told):
    done = unrelu(*arguments)
    assert done.code == 2
    assert told in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*PREIMAGE, "--domain", "box:0"), "box:LO,HI"),
        ((*PREIMAGE, "--domain", "ball:1"), "ball"),
        ((*PREIMAGE, "--domain", "box:0,1"), "outside of it"),
        (("verify", "missing.json"), "missing.json"),
        (("verify", "data.npy"), "data.npy"),
        (("verify", "junk.json"), "junk.json"),
    ],
)
def test_refused(unrelu, arguments, told):
    done = unrelu(*arguments)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert told.lower() in done.err.lower()
