"""Archives of a small module, and changes to what is in them."""

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.layers.from_torch.cases import Calls

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


def graph(model: dict) -> dict:
    return model["graph_module"]["graph"]


def set_node(target: str, arguments: dict[str, dict]) -> Callable[[dict], None]:
    def change(model: dict) -> None:
        inputs = [{"name": name, "arg": arg, "kind": 1} for name, arg in arguments.items()]
        graph(model)["nodes"][0] |= {"target": target, "inputs": inputs}

    return change
