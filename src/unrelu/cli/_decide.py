"""``unrelu decide``."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import (
    Certificate,
    Force,
    InputShape,
    Json,
    Model,
    Weights,
    check_outputs,
    layer_of,
    shape_of,
    write_json,
)

if TYPE_CHECKING:
    from rich.table import Table

    from unrelu.domains import Domain
    from unrelu.injectivity import Decision, NetworkDecision
    from unrelu.injectivity._verdict import NetworkProof, Proof
    from unrelu.layers import Network, ReLULayer

GeneralPosition = Annotated[
    bool | None,
    typer.Option(
        "--general-position/--exact",
        help="Take any n rows to be linearly independent, and grade the proof so; or never. If neither: "
        "where there is no time for a proof without.",
    ),
]
Export = Annotated[
    Path | None,
    typer.Option(
        help="Write the question in VNN-LIB 2.0 to this file, for other verifiers; with --layer the "
        "layer goes to FILE.onnx. Needs --delta and a box."
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(help="For --export: how far apart two inputs are, at least, in some coordinate."),
]

_EXITS = {"injective": Exit.OK, "not injective": Exit.REFUTED, "unknown": Exit.UNDECIDED}
_REASON = 72  # characters of a reason in a table


def decide(
    model: Model,
    layer: Annotated[
        str | None, typer.Option(help="Decide this layer alone; the network and its layers if not given.")
    ] = None,
    domain: Annotated[
        str,
        typer.Option(
            help="Where inputs of the network, or of --layer, may lie: space, orthant, box:LO,HI, ball:R."
        ),
    ] = "space",
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Time for each layer, about.")] = 60.0,
    general_position: GeneralPosition = None,
    certificate: Certificate = None,
    json: Json = None,
    export: Export = None,
    delta: Delta = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Decide whether different inputs always have different outputs, on a whole domain and with proof.

    Exit code 0 if that is proved, 3 if it is refuted, 4 if it is neither.

    For example:

      unrelu decide model.onnx --domain box:0,1

      unrelu decide model.onnx --layer fc1 --time-limit 600 --certificate proof.json
    """
    from unrelu.cli._models import load_network
    from unrelu.domains import parse_domain

    if (export is None) != (delta is None):
        raise typer.BadParameter("--export and --delta go together", param_hint="--delta")
    beside = None if export is None or layer is None else export.parent / f"{export.name}.onnx"
    check_outputs(force, certificate, None if json == "-" else json, export, beside)
    network, within = load_network(model, weights, None, shape_of(input_shape)), parse_domain(domain)
    chosen = None if layer is None else layer_of(network, layer)
    if export is not None and delta is not None:
        _export(network if chosen is None else chosen, within, delta, model, export, beside, force)
    options = {
        "time_limit": time_limit,
        "assume_general_position": general_position,
        "progress": sys.stderr.isatty(),
    }
    try:
        if chosen is None:
            document, proof = _network(network, within, options, quiet=json == "-")
        else:
            document, proof = _one(chosen, within, options, quiet=json == "-")
    except KeyboardInterrupt:
        typer.echo("interrupted before there was an answer", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    if certificate is not None:
        _save(proof, document["verdict"], certificate, force)
    write_json({"domain": domain, **document}, json, force)
    raise typer.Exit(_EXITS[document["verdict"]])


def _export(
    subject: ReLULayer | Network,
    domain: Domain,
    delta: float,
    model: str,
    path: Path,
    beside: Path | None,
    force: bool,
) -> None:
    """Write the query, and beside it the model of a layer; both are made before either is written."""
    from unrelu.injectivity.vnnlib import query
    from unrelu.layers import ReLULayer
    from unrelu.layers.to_onnx import layer_model
    from unrelu.output import write_bytes, write_text

    shapes = None if isinstance(subject, ReLULayer) else _shapes(model, subject)
    text = query(subject, domain, delta, shapes=shapes)
    if beside is not None and isinstance(subject, ReLULayer):
        write_bytes(beside, layer_model(subject), force=force)
    write_text(path, text, force=force)
    typer.echo(f"query: {path}, of the network f={beside or model}", err=True)


def _shapes(model: str, network: Network) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the shapes that an ONNX file declares; of its output only if it says all of it."""
    from unrelu.layers.from_onnx._interface import declared_shapes

    if not model.endswith(".onnx"):
        return None
    source, target = declared_shapes(model)
    if math.prod(target) != math.prod(network.output_shape):
        target = (1, *network.output_shape)
    return source, target


def _one(
    layer: ReLULayer, domain: Domain, options: dict[str, Any], *, quiet: bool
) -> tuple[dict[str, Any], Proof | NetworkProof | None]:
    """Decide a layer and tell the answer; return it as JSON holds it, and what proves it."""
    from rich.console import Console
    from rich.markup import escape

    from unrelu.injectivity import decide

    decision = decide(layer, domain, **options)
    told = f"layer {escape(layer.name)} ({layer.n:,} → {layer.m:,}): [bold]{decision.verdict}[/]\n"
    grade = f"; grade: {decision.grade}" if decision.grade else ""
    told += f"{escape(decision.reason)}{grade}; {decision.seconds:.1f} s{_pair(decision)}"
    Console(stderr=quiet, soft_wrap=True, highlight=False).print(told)
    return _layer_facts(layer, decision), decision.certificate


def _network(
    network: Network, domain: Domain, options: dict[str, Any], *, quiet: bool
) -> tuple[dict[str, Any], Proof | NetworkProof | None]:
    """Decide a network and tell the answer, as `_one` does."""
    from rich.console import Console
    from rich.markup import escape

    from unrelu.injectivity import decide

    answer = decide(network, domain, **options)
    Console(stderr=quiet, highlight=False).print(_table(network, answer))
    told = f"network: [bold]{answer.verdict}[/]; {escape(answer.reason)}{_pair(answer)}"
    Console(stderr=quiet, soft_wrap=True, highlight=False).print(told)
    layers = [_layer_facts(network[name], decision) for name, decision in answer.layers.items()]
    return {**_facts(answer), "given": list(answer.given), "layers": layers}, answer.certificate


def _table(network: Network, answer: NetworkDecision) -> Table:
    from rich.markup import escape
    from rich.table import Table

    title = f"Injectivity of {escape(network.origin)}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("layer", "size", "verdict", "grade"):
        table.add_column(heading, no_wrap=True)
    table.add_column("reason")
    table.add_column("seconds", justify="right", no_wrap=True)
    for name, decision in answer.layers.items():
        layer = network[name]
        size, reason = f"{layer.n:,} → {layer.m:,}", shorten(decision.reason, _REASON, placeholder=" …")
        cells = (escape(name), size, decision.verdict, decision.grade or "-", escape(reason))
        table.add_row(*cells, f"{decision.seconds:.1f}")
    return table


def _pair(answer: Decision | NetworkDecision) -> str:
    pair = answer.collision
    if pair is None:
        return ""
    apart = f"two inputs at distance {pair.distance:.4g} have the same output"
    return f"\n{apart}; computed outputs differ by {pair.output_difference:.2g} of the largest"


def _facts(answer: Decision | NetworkDecision) -> dict[str, Any]:
    return {
        "verdict": str(answer.verdict),
        "reason": answer.reason,
        "seconds": answer.seconds,
        "distance": None if answer.collision is None else answer.collision.distance,
    }


def _layer_facts(layer: ReLULayer, decision: Decision) -> dict[str, Any]:
    return {"layer": layer.name, "n": layer.n, "m": layer.m, "grade": decision.grade, **_facts(decision)}


def _save(proof: Proof | NetworkProof | None, verdict: str, path: Path, force: bool) -> None:
    from unrelu.output import write_text

    if proof is not None:
        write_text(path, proof.to_json(), force=force)
        typer.echo(f"certificate: {path}", err=True)
    elif verdict == "unknown":
        typer.echo("no certificate: nothing is proved", err=True)
    else:
        typer.echo("no certificate: this is not proved in one piece; choose a layer by --layer", err=True)
