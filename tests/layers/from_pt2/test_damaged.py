"""Archives that are damaged, too large or of another kind: one clear line each."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.layers.from_pt2.archives import CONSTANTS, MODEL, WEIGHTS, graph, rewrite, set_node
from unrelu.errors import ModelError
from unrelu.layers import trace
from unrelu.layers.from_pt2 import _graph


def set_meta(**changes: Any) -> Callable[[dict], None]:
    return lambda config: config["config"]["a.weight"]["tensor_meta"].update(changes)


def as_ints(*numbers: int) -> list[dict]:
    return [{"as_int": number} for number in numbers]


def append_full(size: int) -> Callable[[dict], None]:
    """Let the first node make a tensor of a given size."""
    return set_node(
        "torch.ops.aten.full.default",
        {"size": {"as_ints": [size]}, "fill_value": {"as_float": 1.0}},
    )


DAMAGED = {
    "huge weight by strides": (
        {WEIGHTS: set_meta(sizes=as_ints(10**9, 10**9), strides=as_ints(0, 0))},
        "is larger than its 12 numbers",
    ),
    "weight beyond its storage": ({WEIGHTS: set_meta(strides=as_ints(9, 9))}, "the archive is damaged"),
    "negative offset": ({WEIGHTS: set_meta(storage_offset={"as_int": -1})}, "the archive is damaged"),
    "negative size": ({WEIGHTS: set_meta(sizes=as_ints(-4, -3))}, "the archive is damaged"),
    "complex dtype": ({WEIGHTS: set_meta(dtype=10)}, "expected a dense tensor of real numbers"),
    "wrong dtype": ({WEIGHTS: set_meta(dtype=8)}, "larger than its 6 numbers"),
    "sparse": ({WEIGHTS: set_meta(layout=1)}, "expected a dense tensor"),
    "short weight": ({"data/weights/weight_0": b"123"}, "the archive is damaged"),
    "empty weight": ({"data/weights/weight_0": b""}, "larger than its 0 numbers"),
    "no configuration of a weight": ({WEIGHTS: lambda c: c["config"].pop("a.weight")}, "damaged"),
    "other schema": (
        {MODEL: lambda m: m.update(schema_version={"major": 9, "minor": 0})},
        "expected version 8 of torch's graph schema, got 9",
    ),
    "no JSON": ({MODEL: b"{"}, "the archive is damaged"),
    "deep JSON": ({MODEL: b"[" * 10**6}, "the archive is damaged"),
    "list": ({MODEL: b"[]"}, "the archive is damaged"),
    "big endian": ({"byteorder": b"big"}, "little-endian"),
    "other format": ({"archive_format": b"zip"}, "not a .pt2 archive"),
    "two inputs": (
        {
            MODEL: lambda m: m["graph_module"]["signature"]["input_specs"].append(
                {"user_input": {"arg": {"as_tensor": {"name": "y"}}}}
            )
        },
        "expected one input, a tensor, got 2 inputs",
    ),
    "huge tensor": ({MODEL: append_full(10**15)}, "numbers to compute, got 1000000000000000"),
    "huge input": (
        {MODEL: lambda m: graph(m)["tensor_values"]["x"].update(sizes=as_ints(1, 10**12))},
        "input 'x': expected at most",
    ),
    "input of integers": (
        {MODEL: lambda m: graph(m)["tensor_values"]["x"].update(dtype=5)},
        "input 'x': expected floating-point numbers",
    ),
    "unexpected shape": (
        {MODEL: lambda m: graph(m)["tensor_values"]["linear"].update(sizes=as_ints(1, 5))},
        r"node 'linear' .*: expected a result of shape \(1, 5\), got \(1, 4\)",
    ),
    "unknown argument": (
        {MODEL: set_node("torch.ops.aten.relu.default", {"self": {"as_graph": {}}})},
        "an argument of kind 'as_graph' is not supported",
    ),
    "missing value": (
        {MODEL: set_node("torch.ops.aten.relu.default", {"self": {"as_tensor": {"name": "nowhere"}}})},
        "nowhere",
    ),
    "changes its state": (
        {
            MODEL: lambda m: m["graph_module"]["signature"]["output_specs"].append(
                {"buffer_mutation": {"arg": {"name": "x"}, "buffer_name": "c"}}
            )
        },
        "it changes its own state",
    ),
}


@pytest.mark.parametrize(("changes", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged(changes, message: str, archive: Path):
    path = rewrite(archive, changes)
    with pytest.raises(ModelError, match=message) as caught:
        trace(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", [MODEL, WEIGHTS, CONSTANTS, "data/weights/weight_0", "archive_format", "byteorder"]
)
def test_missing_entry(name: str, archive: Path):
    with pytest.raises(ModelError, match=r"changed.pt2: "):
        trace(rewrite(archive, {}, drop=(name,)))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"text", bytes(1000)], ids=["empty", "cut", "text", "zeros"]
)
def test_no_archive(content: bytes, tmp_path: Path):
    path = tmp_path / "model.pt2"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model.pt2: not a .pt2 archive"):
        trace(path)


def test_truncated(archive: Path):
    archive.write_bytes(archive.read_bytes()[:-300])
    with pytest.raises(ModelError, match=r"not a .pt2 archive"):
        trace(archive)


def test_zip_bomb(archive: Path):
    path = rewrite(archive, {"data/weights/weight_0": bytes(10**7)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="expected an entry without compression"):
        trace(path)


def test_many_tensors_are_limited_together(archive: Path, monkeypatch):
    monkeypatch.setattr(_graph, "_MAX_ENTRIES", 6)
    with pytest.raises(ModelError, match="expected at most 6 numbers to compute, got 8"):
        trace(archive)


@pytest.mark.filterwarnings("ignore")
def test_training_mode(tmp_path: Path):
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.ReLU()).train()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3),)), tmp_path / "model.pt2")
    with pytest.raises(ModelError, match=r"is in training mode; export the module after .eval\(\)"):
        trace(tmp_path / "model.pt2")


def test_missing_file(tmp_path: Path):
    with pytest.raises(ModelError, match="no such file"):
        trace(tmp_path / "model.pt2")
