"""A folder of models and data, good and bad, and the command line run in it as a user would."""

import pickle
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ZOO = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 3))

def narrow():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2))

def wide():
    layer = nn.Linear(4, 8)
    layer.weight.data = torch.cat([torch.eye(4), -torch.eye(4)])
    return nn.Sequential(layer, nn.ReLU())

def injective():
    layers = [nn.Linear(3, 6, bias=False), nn.Linear(6, 12, bias=False)]
    for layer in layers:
        one = torch.eye(layer.in_features)
        layer.weight.data = torch.cat([one, -one])
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU())

def gaussian(n=32, m=256):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(n, m, bias=False), nn.ReLU())

def redundant():
    return gaussian(4, 60)

def digits():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))

def linear():
    return nn.Linear(4, 3)

def fails():
    raise RuntimeError("no\\nway")

def leaves():
    raise SystemExit(7)

number = 3
"""


def onnx_model(weight, activation="Relu"):
    """One affine node and an activation behind it."""
    weight = np.asarray(weight, dtype=np.float32)
    m, n = weight.shape
    nodes = [
        helper.make_node("Gemm", ["x", "W"], ["h"], name="fc", transB=1),
        helper.make_node(activation, ["h"], ["y"], name="act"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", n), ("y", m))
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], [numpy_helper.from_array(weight, "W")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def fill(folder):
    """Write the files that the tests name."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((12, 4))
    onnx.save(onnx_model(weight), folder / "model.onnx")
    onnx.save(onnx_model(np.where(weight == weight[0, 0], np.nan, weight)), folder / "nan.onnx")
    onnx.save(onnx_model(weight, "Frobnicate"), folder / "unknown.onnx")
    onnx.save(onnx_model(weight, "Tanh"), folder / "tanh.onnx")
    (folder / "truncated.onnx").write_bytes((folder / "model.onnx").read_bytes()[:100])
    (folder / "model.pth").write_bytes(b"\x80\x02}q\x00.")
    np.save(folder / "data.npy", rng.standard_normal((20, 4)))
    np.save(folder / "wide.npy", rng.standard_normal((20, 5)))
    np.save(folder / "empty.npy", np.zeros((0, 4)))
    np.save(folder / "objects.npy", np.array([{}, 1], dtype=object))
    (folder / "pickled.npy").write_bytes(pickle.dumps([1.0, 2.0]))
    (folder / "handmade_zoo.py").write_text(ZOO)
    (folder / "handmade_broken.py").write_text("def f(:\n")
    (folder / "junk.safetensors").write_bytes(b"hello")
    (folder / "junk.json").write_text('{"format": "something"}')
    (folder / "weights.pt").write_bytes(b"hello")


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The folder."""
    folder = tmp_path_factory.mktemp("files")
    fill(folder)
    return folder


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def unrelu(files, monkeypatch, capsys):
    """The entry point, called in this process: torch is imported once for all tests."""
    from unrelu.cli import main

    def run(*arguments):
        with monkeypatch.context() as patch:
            patch.chdir(files)
            patch.setattr(sys, "argv", ["unrelu", *map(str, arguments)])
            patch.setattr(sys, "path", [*sys.path])
            patch.setenv("COLUMNS", "80")
            code = 0
            try:
                main()
            except SystemExit as stop:
                code = stop.code or 0
        captured = capsys.readouterr()
        return Done(int(code), captured.out, captured.err)

    return run


@pytest.fixture
def shell(files):
    """The same in a process of its own."""

    def run(*arguments):
        command = [sys.executable, "-m", "unrelu", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=files, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
