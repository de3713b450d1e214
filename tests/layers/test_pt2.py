"""Archives of ``torch.export.save``: read as data, whatever is in them."""

import contextlib
import io
import json
import os
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim

from tests.layers.torch_cases import CASES, Calls
from unrelu.errors import ModelError
from unrelu.layers import _pt2_graph as stored
from unrelu.layers import trace

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


def save(module: nn.Module, x: torch.Tensor, path: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module.eval(), (x,), **options), path)
    return path


def small() -> nn.Module:
    torch.manual_seed(0)
    return Calls(
        lambda m, x: m.b((m.a(x) * m.c).relu()) + m.k,
        a=nn.Linear(3, 4),
        b=nn.Linear(4, 2),
        c=torch.rand(4),
        k=nn.Parameter(torch.ones(2)),
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return save(small(), torch.zeros(1, 3), tmp_path / "model.pt2")


def rewrite(
    path: Path,
    changes: dict[str, bytes | Callable[[Any], None]],
    compression: int = zipfile.ZIP_STORED,
    drop: tuple[str, ...] = (),
) -> Path:
    """Replace or add entries: bytes as they are, functions change the JSON that is there."""
    with zipfile.ZipFile(path) as old:
        root = old.namelist()[0].partition("/")[0]
        entries = {name.partition("/")[2]: old.read(name) for name in old.namelist()}
    for name, change in changes.items():
        if callable(change):
            content = json.loads(entries[name])
            change(content)
            entries[name] = json.dumps(content).encode()
        else:
            entries[name] = change
    target = path.with_name("changed.pt2")
    with zipfile.ZipFile(target, "w", compression) as new:
        for name, data in entries.items():
            if name not in drop:
                new.writestr(f"{root}/{name}", data)
    return target


# --- what torch.export.save writes --------------------------------------------------------------------------


BLOCKS = {"block without gradients"}  # stored as graphs of their own, which are not read


@pytest.mark.parametrize("name", [name for name in CASES if name not in BLOCKS])
def test_conformance(name: str, tmp_path: Path):
    """A stored module gives the same network as the module itself."""
    case = CASES[name]
    torch.manual_seed(0)
    module = case.make()
    x = torch.randn(3, *case.shape)
    path = save(module, x[:1], tmp_path / "model.pt2")
    network = trace(path)
    assert len(network) == len(case.layers)
    with torch.no_grad():
        expected = torch.cat([module(sample[None]) for sample in x])
    got = network.forward(x)
    assert float((got - expected.reshape(got.shape)).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_refused(name: str, tmp_path: Path):
    path = save(CASES[name].make(), torch.zeros(1, *CASES[name].shape), tmp_path / "model.pt2")
    message = r"torch.ops.higher_order.*: this operator is not known; trace the module"
    with pytest.raises(ModelError, match=message):
        trace(path)


def test_names(archive: Path):
    network = trace(archive)
    assert list(network) == ["a"]
    assert network.origin == "model.pt2"
    assert torch.equal(network["a"].linear.n * torch.ones(1), torch.tensor([3.0]))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_variable_batch(tmp_path: Path, batch: int):
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2), nn.ReLU())
    x = torch.randn(max(batch, 2), 2, 6, 4)
    path = save(module, x, tmp_path / "model.pt2", dynamic_shapes=({0: Dim("batch")},))
    network = trace(path)
    assert list(network) == ["0", "3"]
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-5)


def test_batch_in_the_arithmetic_of_shapes(tmp_path: Path):
    def function(m, x):
        return m.fc(x.reshape(x.shape[0] * 2, 3)).relu().view(x.size(0), -1)

    module = Calls(function, fc=nn.Linear(3, 4))
    x = torch.randn(4, 6)
    network = trace(save(module, x, tmp_path / "model.pt2", dynamic_shapes=({0: Dim("batch")},)))
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-5)


def test_fixed_batch(tmp_path: Path):
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = torch.randn(4, 3)
    network = trace(save(module, x, tmp_path / "model.pt2"))
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.fc(x.view(4, 6)).relu(),
        lambda m, x: m.fc(x.view(4, 3, 2).flatten(1)).relu(),
        lambda m, x: m.fc(x.reshape(-1, 3).reshape(4, 6)).relu(),
        lambda m, x: m.fc(x.T.reshape(6, 4).T).relu(),
    ],
)
def test_graph_bound_to_its_batch(function, tmp_path: Path):
    x = torch.randn(4, 6)
    bound = Calls(function, fc=nn.Linear(6, 4))
    with pytest.raises(ModelError, match=r"for one sample; it was exported for batches of 4, export it with"):
        trace(save(bound, x, tmp_path / "model.pt2"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_dtypes(dtype: torch.dtype, tmp_path: Path):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU()).to(dtype)
    network = trace(save(module, torch.zeros(1, 3, dtype=dtype), tmp_path / "model.pt2"))
    assert torch.equal(network["0"].dense(), module[0].weight.detach().double())


def test_tied_and_transposed_weights(tmp_path: Path):
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    b.weight = a.weight
    c = nn.Linear(3, 3)
    c.weight = nn.Parameter(torch.randn(3, 3).T)
    module = nn.Sequential(a, nn.ReLU(), b, nn.ReLU(), c, nn.ReLU())
    x = torch.randn(5, 3)
    network = trace(save(module, x[:1], tmp_path / "model.pt2"))
    assert len(network) == 3
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-6)


def test_decomposed_program(tmp_path: Path):
    module = CASES["batch norm"].make().eval()
    x = torch.randn(1, 2, 8, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (x,)).run_decompositions()
        torch.export.save(program, tmp_path / "model.pt2")
    assert torch.allclose(trace(tmp_path / "model.pt2").forward(x).float(), module(x).detach(), atol=1e-5)


# --- attacks ------------------------------------------------------------------------------------------------


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def pickled(marker: Path) -> bytes:
    return pickle.dumps(Payload(marker))


def saved(marker: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save((Payload(marker),), buffer)
    return buffer.getvalue()


def code(marker: Path) -> str:
    return f"__import__('os').mkdir({str(marker)!r})"


def graph(model: dict) -> dict:
    return model["graph_module"]["graph"]


def set_pickled(name: str, file: str) -> Callable[[dict], None]:
    def change(config: dict) -> None:
        config["config"][name] |= {"use_pickle": True, "path_name": file}

    return change


def set_target(target: str, *arguments: dict) -> Callable[[dict], None]:
    def change(model: dict) -> None:
        inputs = [{"name": f"a{k}", "arg": arg, "kind": 1} for k, arg in enumerate(arguments)]
        graph(model)["nodes"][0] |= {"target": target, "inputs": inputs}

    return change


def set_sizes(expression: str) -> Callable[[dict], None]:
    def change(model: dict) -> None:
        for value in graph(model)["tensor_values"].values():
            if value["sizes"]:
                hint = {"as_int": value["sizes"][0]["as_int"]}
                value["sizes"][0] = {"as_expr": {"expr_str": expression, "hint": hint}}

    return change


def set_everything_unread(text: str) -> Callable[[dict], None]:
    """Put code into every field that torch evaluates, imports or prints into source, and that is not read."""

    def change(model: dict) -> None:
        model["guards_code"] = [text, f"assert {text}"]
        model["verifiers"] = [text]
        model["range_constraints"] = {text: {"min_val": 0, "max_val": 1}}
        model["torch_version"] = text
        model["graph_module"]["module_call_graph"] = [text]
        for node in graph(model)["nodes"]:
            node["metadata"] = dict.fromkeys(
                ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node", "custom"), text
            )

    return change


def rename(old: str, new: str) -> Callable[[dict], None]:
    """Rename a value or tensor everywhere."""

    def walk(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {walk(key): walk(value) for key, value in entry.items()}
        if isinstance(entry, list):
            return [walk(value) for value in entry]
        return new if entry == old else entry

    def change(content: dict) -> None:
        changed = walk(content)
        content.clear()
        content.update(changed)

    return change


HARMLESS = {  # nothing of it is read: the model is traced as if it were not there
    "sample inputs, pickle": lambda m: {"data/sample_inputs/model.pt": pickled(m)},
    "sample inputs, torch.save": lambda m: {"data/sample_inputs/model.pt": saved(m)},
    "expressions": lambda m: {MODEL: set_sizes(code(m))},
    "guards, specifications, metadata": lambda m: {MODEL: set_everything_unread(code(m))},
    "name of a value": lambda m: {MODEL: rename("linear", f"linear\n    {code(m)}\n#")},
    "name of the input": lambda m: {MODEL: rename("x", f"x={code(m)}")},
    "compiled code": lambda m: {
        "data/aotinductor/model/model.so": b"\x7fELF",
        "data/aotinductor/model/a.cpp": b"x",
    },
    "extra files": lambda m: {"extra/code.py": code(m).encode()},
    "an unread weight": lambda m: {"data/weights/weight_99": pickled(m)},
}
REFUSED = {
    "weight": (
        lambda m: {WEIGHTS: set_pickled("a.weight", "weight_9"), "data/weights/weight_9": saved(m)},
        "'a.weight' in weights is not a plain tensor but pickled",
    ),
    "constant": (
        lambda m: {CONSTANTS: lambda c: c["config"].update(z=0), WEIGHTS: set_pickled("c", "tensor_0")},
        "'c' in weights is not a plain tensor but pickled",
    ),
    "custom object": (
        lambda m: {WEIGHTS: set_pickled("c", "custom_obj_0"), "data/weights/custom_obj_0": pickled(m)},
        "not a plain tensor but pickled",
    ),
    "opaque object": (
        lambda m: {WEIGHTS: set_pickled("c", "opaque_obj_0"), "data/weights/opaque_obj_0": pickled(m)},
        "not a plain tensor but pickled",
    ),
    "path out of the folder": (
        lambda m: {WEIGHTS: lambda c: c["config"]["c"].update(path_name="../../etc/passwd")},
        "not a plain tensor",
    ),
    "legacy weights": (lambda m: {"data/weights/model.pt": saved(m)}, "pickled weights of an older torch"),
    "legacy constants": (
        lambda m: {"data/constants/model.pt": saved(m)},
        "pickled weights of an older torch",
    ),
    "operator of os": (
        lambda m: {MODEL: set_target("torch.os.mkdir", {"as_string": str(m)})},
        "\\(torch.os.mkdir\\): this operator is not known",
    ),
    "operator of torch": (
        lambda m: {MODEL: set_target("torch.hub.load", {"as_string": str(m)})},
        "\\(torch.hub.load\\): this operator is not known",
    ),
    "operator that opens files": (
        lambda m: {MODEL: set_target("torch.ops.aten.from_file.default", {"as_string": str(m)})},
        "\\(torch.ops.aten.from_file.default\\): this operator is not known",
    ),
    "operator of the operator module": (
        lambda m: {MODEL: set_target("_operator.attrgetter", {"as_string": "__class__"})},
        "\\(_operator.attrgetter\\): this operator is not known",
    ),
    "operator of an extension": (
        lambda m: {MODEL: set_target("#x:y")},
        "\\(#x:y\\): this operator is not known",
    ),
    "operator by a path": (
        lambda m: {MODEL: set_target("torch.ops.aten.relu.default.__globals__")},
        "this operator is not known",
    ),
    "operator with code": (lambda m: {MODEL: set_target(code(m))}, "is not known"),
    "unknown overload": (
        lambda m: {MODEL: set_target("torch.ops.aten.relu.__class__")},
        "there is no such operator",
    ),
    "name of a weight": (
        lambda m: {MODEL: rename("a.weight", f"a[{code(m)}]"), WEIGHTS: rename("a.weight", f"a[{code(m)}]")},
        "expected a name of letters",
    ),
    "name of a weight that is a method": (
        lambda m: {MODEL: rename("c", "forward"), WEIGHTS: rename("c", "forward")},
        "the archive is damaged",
    ),
}


_watch = {"unpickling": False}


def _audit(event: str, _: tuple) -> None:
    """Python reports every global that any unpickler looks up; a hook cannot be removed, only silenced."""
    if _watch["unpickling"] and event == "pickle.find_class":
        raise AssertionError("something was unpickled")


sys.addaudithook(_audit)


@pytest.fixture
def no_pickle(monkeypatch) -> Iterator[None]:
    """Fail at once where anything is unpickled, or torch's own reader is called."""

    def fail(*args, **kwargs):
        raise AssertionError("something was unpickled")

    for module, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (torch, "load"),
        (torch._C, "_pickle_load_obj"),
        (torch.export, "load"),
    ):
        monkeypatch.setattr(module, name, fail)
    _watch["unpickling"] = True
    yield
    _watch["unpickling"] = False


@pytest.mark.usefixtures("no_pickle")
@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS.keys())
def test_payloads_that_are_not_read(attack, archive: Path, tmp_path: Path):
    marker = tmp_path / "marker"
    plain = trace(archive)
    network = trace(rewrite(archive, attack(marker)))
    assert not marker.exists()
    assert torch.equal(network["a"].dense(), plain["a"].dense())
    x = torch.randn(3, 3)
    assert torch.equal(network.forward(x), plain.forward(x))


@pytest.mark.usefixtures("no_pickle")
@pytest.mark.parametrize(("attack", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_payloads_that_are_refused(attack, message: str, archive: Path, tmp_path: Path):
    marker = tmp_path / "marker"
    path = rewrite(archive, attack(marker))
    with pytest.raises(ModelError, match=message) as caught:
        trace(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["sample inputs, torch.save", "expressions"])
@pytest.mark.filterwarnings("ignore")
def test_the_payloads_are_real(name: str, archive: Path, tmp_path: Path):
    """Torch's own reader runs them: otherwise the tests above would prove nothing."""
    marker = tmp_path / "marker"
    path = rewrite(archive, HARMLESS[name](marker))
    with contextlib.suppress(Exception):
        torch.export.load(path)
    assert marker.exists()


def test_legacy_archive(tmp_path: Path):
    marker, path = tmp_path / "marker", tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.20")
        archive.writestr("serialized_exported_program.json", "{}")
        for name in ("state_dict", "constants", "example_inputs"):
            archive.writestr(f"serialized_{name}.pt", saved(marker))
    with pytest.raises(ModelError, match=r"old.pt2: 'serialized_exported_program.json': pickled weights"):
        trace(path)
    assert not marker.exists()


# --- damage -------------------------------------------------------------------------------------------------


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


def set_node(target: str, arguments: dict[str, dict]) -> Callable[[dict], None]:
    def change(model: dict) -> None:
        inputs = [{"name": name, "arg": arg, "kind": 1} for name, arg in arguments.items()]
        graph(model)["nodes"][0] |= {"target": target, "inputs": inputs}

    return change


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
    monkeypatch.setattr(stored, "_MAX_ENTRIES", 6)
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
