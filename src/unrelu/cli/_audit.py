"""``unrelu audit``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import Data, Force, InputShape, Mean, Model, Std, Weights, check_outputs
from unrelu.cli._source import open_source

if TYPE_CHECKING:
    from unrelu.audit import AuditResult

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
    classify: Annotated[
        int, typer.Option(min=0, help="Classify the preimages of so many samples, evenly spread.")
    ] = 1000,
    collisions: Annotated[
        int, typer.Option(min=0, help="Turn so many samples into others with the same output.")
    ] = 6,
    decide: Annotated[
        float, typer.Option(min=0, help="Seconds for each layer to decide injectivity on R^n; 0: not at all.")
    ] = 5.0,
    spectra: Annotated[
        int, typer.Option(min=0, help="Linearise the network at so many samples, for singular values.")
    ] = 4,
    lipschitz: Annotated[
        float, typer.Option(min=0, help="Seconds for a search for a layer's Lipschitz constants; 0: none.")
    ] = 0.1,
    mean: Mean = None,
    std: Std = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Measure on data what every ReLU layer of a network forgets.

    Ctrl-C ends the measurement; what was seen until then is reported, marked partial.

    For example:

      unrelu audit model.onnx --data images.npy -o report.html

      unrelu audit mnist-net.onnx --data mnist:test --limit 500 --json -

      unrelu audit zoo.lenet:build --weights lenet.safetensors --data mnist:test --mean 0.1307 --std 0.3081
    """
    from unrelu.audit import audit as run_audit

    check_outputs(force, output, csv, None if json == "-" else json)
    source = open_source(
        model, data, mean=mean, std=std, weights=weights, input_shape=input_shape, limit=limit
    )
    result = run_audit(
        source.network,
        source.data,
        reconstruct=reconstruct,
        classify=classify,
        collisions=collisions,
        decide=decide,
        spectra=spectra,
        lipschitz=lipschitz,
        progress=sys.stderr.isatty(),
    )
    publish(result, output=output, json=json, csv=csv, force=force)


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
