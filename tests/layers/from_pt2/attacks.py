"""Archives that would run code, were anything in them unpickled, evaluated or imported."""

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.layers.from_pt2.archives import CONSTANTS, MODEL, WEIGHTS, graph, set_node


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


def set_pickled(name: str, file: str) -> Callable[[dict], None]:
    def change(config: dict) -> None:
        config["config"][name] |= {"use_pickle": True, "path_name": file}

    return change


def set_target(target: str, *arguments: dict) -> Callable[[dict], None]:
    return set_node(target, {f"a{k}": argument for k, argument in enumerate(arguments)})


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
