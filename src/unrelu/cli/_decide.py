"""``unrelu decide``."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import Certificate, Force, InputShape, Model, Weights, check_outputs, shape_of
from unrelu.cli._preimage import _write

if TYPE_CHECKING:
    from rich.table import Table

    from unrelu.domains import Domain
    from unrelu.injectivity import Decision
    from unrelu.injectivity._verdict import NetworkDecision
    from unrelu.layers import Network, ReLULayer


def decide(
    model: Model,
    layer: Annotated[
        str | None, typer.Option(help="Decide this layer alone; the network with all layers if not given.")
    ] = None,
    domain: Annotated[
        str,
        typer.Option(help="Where the inputs of the network, or of --layer, may lie: space, orthant, box:LO,HI, ball:R."),
    ] = "space",
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Time for each layer, about.")] = 60.0,
    general_position: Annotated[
        bool | None,
        typer.Option(
            "--general-position/--exact",
            help="Take any n rows to be linearly independent, which the grade then says, or never do so; "
            "if neither is given, where there is no time for a proof without.",
        ),
    ] = None,
    certificate: Certificate = None,
    json: Annotated[
        str | None, typer.Option(help="Write the answer as JSON to this file; - for standard output.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write the question in VNN-LIB 2.0 to this file, for other verifiers; with --layer the layer "
            "goes beside it, as .onnx. Needs --delta and a box."
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option(help="For --export: how far apart, in some coordinate, two inputs with one output are."),
    ] = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Decide whether different inputs always have different outputs, on a whole domain and with proof.

    Exit code 0 if that is proved, 3 if it is refuted, 4 if neither.

    For example:

      unrelu decide model.onnx --domain box:0,1

      unrelu decide model.onnx --layer fc1 --time-limit 600 --certificate proof.json
    """
    from unrelu.cli._models import load_network
    from unrelu.domains import parse_domain

    if (export is None) != (delta is None):
        raise typer.BadParameter("--export and --delta go together", param_hint="--delta")
    beside = None if export is None or layer is None else export.with_suffix(".onnx")
    check_outputs(force, certificate, None if json == "-" else json, export, beside)
    network = load_network(model, weights, None, shape_of(input_shape))
    chosen, within = _chosen(network, layer), parse_domain(domain)
    if export is not None and delta is not None:
        _export(model, network, chosen, within, delta, export, force)
    answer = _Answer(model, network, chosen, domain)
    try:
        answer.find(within, time_limit, general_position)
    except KeyboardInterrupt:
        typer.echo("interrupted before there was an answer", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    answer.show(quiet=json == "-")
