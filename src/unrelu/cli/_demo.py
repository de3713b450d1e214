"""``unrelu demo``: a small network on real digits, trained and audited in seconds."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unrelu.cli._audit import publish
from unrelu.cli._options import Force, check_outputs, make_folder

if TYPE_CHECKING:
    from torch import nn

    from unrelu.datasets import Dataset


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for report.html and audit.json.")
    ] = Path("unrelu-demo"),
    force: Force = False,
) -> None:
    """Train a small network on the real 8x8 digits and audit it.

    For example:

      unrelu demo -o demo
    """
    from rich.console import Console

    from unrelu.audit import audit
    from unrelu.datasets import load
    from unrelu.layers import trace

    make_folder(output)
    report, figures = output / "report.html", output / "audit.json"
    check_outputs(force, report, figures)
    digits = load("digits")
    model, accuracy = _train(digits)
    Console(stderr=True, soft_wrap=True).print(
        f"trained 64 → 160 → 32 → 10 on {_TRAINING:,} digits; {100 * accuracy:.1f} % of the other "
        f"{len(digits) - _TRAINING} are recognised"
    )
    network = trace(model, digits.inputs[:1])
    network.origin = "demo network"
    result = audit(network, digits, progress=sys.stderr.isatty())
    publish(result, output=report, json=str(figures), csv=None, force=force)
    typer.echo("next: unrelu audit your-model.onnx --data your-inputs.npy -o report.html", err=True)


_TRAINING = 1200


def _train(digits: Dataset) -> tuple[nn.Module, float]:
    """Train on the first digits; return the model and its accuracy on the rest."""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {
            "flatten": nn.Flatten(),
            "fc1": nn.Linear(64, 160),
            "relu1": nn.ReLU(),
            "fc2": nn.Linear(160, 32),
            "relu2": nn.ReLU(),
            "fc3": nn.Linear(32, 10),
        }
        model = nn.Sequential(OrderedDict(parts))
        x = torch.as_tensor(digits.inputs, dtype=torch.float32)
        labels = torch.as_tensor(digits.labels)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(30):
            for batch in torch.randperm(_TRAINING).split(50):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[batch]), labels[batch]).backward()
                optimizer.step()
    with torch.no_grad():
        right = model(x[_TRAINING:]).argmax(dim=1) == labels[_TRAINING:]
    return model.eval(), float(right.double().mean())
