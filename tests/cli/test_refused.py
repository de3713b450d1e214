"""Bad input: one line on standard error, exit 1, nothing written, no traceback."""

import pytest
from safetensors.torch import save_file
from torch import nn

MODELS = {
    "truncated.onnx": "not a readable ONNX model",
    "unknown.onnx": "Frobnicate",
    "nan.onnx": "'fc' (Gemm)",
    "tanh.onnx": "no ReLU",
    "missing.onnx": "no such file",
    "model.pth": ".onnx or .pt2",
    "handmade_zoo": "package.module:callable",
    ":build": "package.module:callable",
    "handmade_zoo:": "package.module:callable",
    "..handmade_zoo:build": "package.module:callable",
    "handmade_zoo:build()": "package.module:callable",
    "no_such_module:build": "No module named 'no_such_module'",
    "handmade_zoo:nothing": "no attribute 'nothing'",
    "handmade_zoo:number": "expected a torch.nn.Module, got int",
    "handmade_zoo:linear": "no ReLU",
    "handmade_zoo:fails": "RuntimeError: no way",
    "handmade_zoo:leaves": "SystemExit",
    "handmade_broken:f": "SyntaxError",
}
DATA = {
    "wide.npy": "shape (5,)",
    "empty.npy": "at least one sample",
    "objects.npy": "never unpickled",
    "pickled.npy": "not a NumPy array file",
    "missing.npy": "no such file",
    "no-such-set": "no such data",
    "model.onnx": "unknown file type '.onnx'",
    ".": "expected images",
}


def refused(done, told):
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("unrelu: ") and done.err.count("\n") == 1, done.err
    assert told in done.err


@pytest.mark.parametrize("model", MODELS)
def test_model(unrelu, tmp_path, model):
    refused(unrelu("audit", model, "--data", "data.npy", "-o", tmp_path / "r.html"), MODELS[model])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", DATA)
def test_data(unrelu, tmp_path, data):
    done = unrelu("audit", "model.onnx", "--data", data, "-o", tmp_path / "r.html", "--json", tmp_path / "j")
    refused(done, DATA[data])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-o", "none/report.html"), "does not exist"),
        (("-o", "."), "it is a folder"),
        (("--json", "data.npy/audit.json"), "is a file, not a folder"),
        (("--csv", "data.npy"), "exists"),
        (("--std", "0"), "positive"),
        (("--mean", "nan"), "finite"),
        (("--mean", "1,2"), "one number or shape (4,)"),
        (("--weights", "weights.safetensors"), "goes with package.module:callable"),
    ],
)
def test_options(unrelu, files, options, told):
    before = sorted(files.iterdir())
    refused(unrelu("audit", "model.onnx", "--data", "data.npy", *options), told)
    assert [path for path in sorted(files.iterdir()) if path.name != "__pycache__"] == [
        path for path in before if path.name != "__pycache__"
    ]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("missing.safetensors", "no such file"),
        ("junk.safetensors", "not a safetensors file"),
        ("weights.pt", "expected a .safetensors file"),
        (".", "no such file"),
    ],
)
def test_weights(unrelu, weights, told):
    refused(unrelu("audit", "handmade_zoo:build", "--data", "data.npy", "--weights", weights), told)


def test_weights_of_another_model(unrelu, tmp_path):
    save_file(nn.Linear(4, 3).state_dict(), tmp_path / "w.safetensors")
    arguments = ("audit", "handmade_zoo:build", "--data", "data.npy", "--weights", tmp_path / "w.safetensors")
    refused(unrelu(*arguments), "not those of the module")


def test_input_shape(unrelu):
    arguments = ("audit", "handmade_zoo:build", "--data", "data.npy", "--input-shape", "5")
    refused(unrelu(*arguments), "as many entries as a sample")


def test_nothing_of_torch_s_own_complaints(shell):
    done = shell("audit", "handmade_zoo:build", "--data", "wide.npy")
    refused(done, "for an input of shape (1, 5)")
