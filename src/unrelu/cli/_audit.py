"""``unrelu audit``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unrelu.cli._exit import Exit

if TYPE_CHECKING:
    from unrelu.audit import AuditResult
    from unrelu.datasets import Dataset

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="file.onnx, file.pt2, or package.module:callable that returns a torch.nn.Module.",
    ),
]
Data = Annotated[
    str,
    typer.Option(
        help="iris, digits, mnist:train|test, cifar10:train|test, a .npy/.npz/.safetensors/.csv file or an "
        "image folder."
    ),
]
Report = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write a self-contained HTML report to this file.")
]


def audit(
    model: Model,
    data: Data,
    output: Report = None,
    json: Annotated[
        str | None, typer.Option(help="Write the figures as JSON to this file; - for standard output.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write one row a layer as CSV to this file.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many samples.")] = None,
    reconstruct: Annotated[
        int, typer.Option(min=0, help="Measure the reconstruction of so many samples, evenly spread.")
    ] = 1000,
    mean: Annotated[str | None, typer.Option(help="Subtract this, a number or one a channel: 0.1307")] = None,
    std: Annotated[str | None, typer.Option(help="Then divide by this, a number or one a channel.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights for package.module:callable, a .safetensors file.")
    ] = None,
    input_shape: Annotated[
        str | None, typer.Option(help="Shape of one input of package.module:callable: 3,32,32")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Measure on data what every ReLU layer of a network forgets.

    Ctrl-C ends the measurement; what was seen until then is reported, marked partial.

    For example:

      unrelu audit model.onnx --data images.npy -o report.html

      unrelu audit mnist-net.onnx --data mnist:test --limit 500 --json -

      unrelu audit zoo.lenet:build --weights lenet.safetensors --data mnist:test --mean 0.1307 --std 0.3081
    """
    from unrelu.audit import audit as run_audit
    from unrelu.cli._models import load_network
    from unrelu.datasets import load

    check_outputs(force, output, csv, None if json == "-" else json)
    shift, scale = _per_channel(mean, "--mean"), _per_channel(std, "--std")
    shape = None if input_shape is None else _shape(input_shape)
    dataset = load(data)
    if limit is not None:
        dataset = dataset.take(limit)
    dataset = _normalized(dataset, shift, scale)
    network = load_network(model, weights, dataset.inputs[0], shape)
    result = run_audit(network, dataset, reconstruct=reconstruct, progress=sys.stderr.isatty())
    publish(result, output=output, json=json, csv=csv, force=force)


def check_outputs(force: bool, *paths: Path | str | None) -> None:
    """Refuse outputs that cannot be written before any long work begins."""
    from unrelu.output import check_writable

    targets = [check_writable(path, force) for path in paths if path is not None]
    if len(set(targets)) < len(targets):
        raise typer.BadParameter("two outputs would go to the same file")


def publish(
    result: AuditResult, *, output: Path | None, json: str | None, csv: Path | None, force: bool
) -> None:
    """Write the files asked for and show the result on the terminal, each whatever becomes of the other.

    Raises:
        OutputError: If a file cannot be written; the result is shown all the same.
        typer.Exit: If the audit was interrupted.
    """
    from rich.console import Console

    from unrelu.audit import summary

    try:
        if json not in {None, "-"}:
            result.to_json(json, force=force)
        if csv is not None:
            result.to_csv(csv, force=force)
        if output is not None:
            result.to_html(output, force=force)
    finally:
        Console(stderr=json == "-").print(summary(result))
    if json == "-":
        typer.echo(result.to_json(), nl=False)
    if output is not None:
        typer.echo(f"report: {output}", err=True)
    if result.partial:
        raise typer.Exit(Exit.INTERRUPTED)


def _normalized(dataset: Dataset, mean: list[float] | None, std: list[float] | None) -> Dataset:
    if mean is None and std is None:
        return dataset
    return dataset.normalized(_one_or_many(mean or [0.0]), _one_or_many(std or [1.0]))


def _one_or_many(numbers: list[float]) -> float | list[float]:
    return numbers[0] if len(numbers) == 1 else numbers


def _per_channel(text: str | None, option: str) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected numbers separated by commas, got {text!r}", param_hint=option
        ) from None


def _shape(text: str) -> tuple[int, ...]:
    lengths = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in lengths):
        message = f"expected positive whole numbers separated by commas, got {text!r}"
        raise typer.BadParameter(message, param_hint="--input-shape")
    return tuple(map(int, lengths))
