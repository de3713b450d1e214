"""``unrelu audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unrelu.cli._exit import Exit
from unrelu.errors import ArgumentError, OutputError

if TYPE_CHECKING:
    from unrelu.audit import AuditResult
    from unrelu.datasets import Dataset

Model = Annotated[
    str,
    typer.Argument(help="file.onnx, file.pt2, or package.module:callable that returns a torch.nn.Module."),
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

    Examples:

      unrelu audit model.onnx --data images.npy -o report.html

      unrelu audit mnist-net.onnx --data mnist:test --limit 500 --json -

      unrelu audit zoo.lenet:build --weights lenet.safetensors --data mnist:test --mean 0.1307 --std 0.3081
    """
    from unrelu.audit import audit as run_audit
    from unrelu.cli._models import load_network
    from unrelu.datasets import load

    check_outputs(force, output, csv, None if json == "-" else json)
    dataset = load(data)
    if limit is not None:
        dataset = dataset.take(limit)
    dataset = _normalized(dataset, mean, std)
    shape = None if input_shape is None else tuple(_numbers(input_shape, "--input-shape", int))
    network = load_network(model, weights, dataset.inputs[0], shape)
    result = run_audit(network, dataset, reconstruct=reconstruct, progress=True)
    publish(result, output=output, json=json, csv=csv, force=force)
    if result.partial:
        raise typer.Exit(Exit.INTERRUPTED)


def check_outputs(force: bool, *paths: Path | str | None) -> None:
    """Refuse outputs that cannot be written before any long work begins."""
    from unrelu.output import check_writable

    given = [Path(path) for path in paths if path is not None]
    for path in given:
        check_writable(path, force)
    if len(set(given)) < len(given):
        raise OutputError("two outputs have the same name")


def publish(
    result: AuditResult, *, output: Path | None, json: str | None, csv: Path | None, force: bool
) -> None:
    """Show a result on the terminal and write the files asked for."""
    from rich.console import Console

    from unrelu.audit import summary

    Console(stderr=json == "-").print(summary(result))
    if json == "-":
        typer.echo(result.to_json())
    elif json is not None:
        result.to_json(json, force=force)
    if csv is not None:
        result.to_csv(csv, force=force)
    if output is not None:
        result.to_html(output, force=force)
        typer.echo(f"report: {output}", err=True)


def _normalized(dataset: Dataset, mean: str | None, std: str | None) -> Dataset:
    if mean is None and std is None:
        return dataset
    return dataset.normalized(
        _one_or_many(_numbers(mean or "0", "--mean", float)),
        _one_or_many(_numbers(std or "1", "--std", float)),
    )


def _one_or_many(numbers: list[float]) -> float | list[float]:
    return numbers[0] if len(numbers) == 1 else numbers


def _numbers(text: str, option: str, kind: type) -> list:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(f"{option}: expected numbers separated by commas, got {text!r}") from None
