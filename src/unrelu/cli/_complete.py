"""``unrelu complete``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._options import Certificate, Force, Json, Mean, Std, check_outputs, write_json

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from unrelu.nn import Completion
    from unrelu.nn.completion._result import LayerProof

Layers = Annotated[
    list[str] | None,
    typer.Option(help="Complete this layer; may be given several times. All that can be if not given."),
]
Samples = Annotated[
    str | None,
    typer.Option(help="Make each of these samples the only input with its output: mnist:test, images.npy"),
]


def complete(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Write the completed model to this ONNX file.")
    ],
    layer: Layers = None,
    domain: Annotated[
        str,
        typer.Option(
            help="Where inputs of the layer may lie: space, orthant, box:LO,HI, ball:R. Of several layers: "
            "of the first; inputs of later ones are at least 0."
        ),
    ] = "space",
    data: Samples = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many samples.")] = None,
    radius: Annotated[
        float, typer.Option(min=0, help="With --data: so is every input within this distance of one.")
    ] = 0.0,
    time_limit: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time to decide a layer, about.")
    ] = 10.0,
    certificate: Certificate = None,
    json: Json = None,
    mean: Mean = None,
    std: Std = None,
    force: Force = False,
) -> None:
    """Append rows to layers until they are injective; predictions stay bit for bit.

    What reads a completed layer reads its old rows by the same operations as before. All rows are in the
    tensor LAYER.completion.rows. A certificate is of one layer; with several, complete one after the other.

    For example:

      unrelu complete model.onnx --layer fc1 -o invertible.onnx --certificate proof.json

      unrelu complete model.onnx --layer fc1 --data mnist:test --limit 500 --radius 0.1 \
        -o invertible.onnx --certificate proof.json
    """
    from unrelu.domains import parse_domain
    from unrelu.nn import complete as append_rows
    from unrelu.output import write_bytes, write_text

    if data is None and (radius or limit or mean or std):
        raise typer.BadParameter("goes with --data", param_hint="--radius, --limit, --mean, --std")
    check_outputs(force, output, certificate, None if json == "-" else json)
    _check_model(model)
    within = parse_domain(domain)
    samples = None if data is None else _samples(model, data, limit, mean, std)
    done = append_rows(
        model, layer or None, data=samples, domain=within, radius=radius, time_limit=time_limit
    )
    proof = None if certificate is None else _proof(done)
    _tell(done, model, at_data=data is not None, quiet=json == "-")
    write_bytes(output, done.model.SerializeToString(deterministic=True), force=force)
    typer.echo(f"model: {output}", err=True)
    if certificate is not None and proof is not None:
        write_text(certificate, proof.to_json(), force=force)
        typer.echo(f"certificate: {certificate}", err=True)
    write_json({"domain": domain, "data": data, **_document(done)}, json, force)


def _check_model(model: str) -> None:
    """Refuse what is no ONNX file before it is run: other models have no file to be written to."""
    from unrelu.errors import ModelError

    if not Path(model).exists() and ":" not in model:
        raise ModelError(f"{model}: no such file")
    if not model.endswith(".onnx"):
        raise ModelError(f"{model}: expected an ONNX file; complete torch modules by unrelu.nn.complete")


def _samples(model: str, data: str, limit: int | None, mean: str | None, std: str | None) -> np.ndarray:
    from unrelu.cli._source import open_source

    source = open_source(model, data, mean=mean, std=std, weights=None, input_shape=None, limit=limit)
    return source.inputs()


def _proof(done: Completion) -> LayerProof:
    """Return the proof of the only layer.

    Raises:
        ArgumentError: If there is none: it names rows that are strictly active, which may not be enough.
    """
    from unrelu.errors import ArgumentError

    if done.certificate is None:
        raise ArgumentError(
            "certificate: expected strictly active rows that span at every sample, got one without; "
            "a --radius above 0 appends them"
        )
    return done.certificate


def _tell(done: Completion, model: str, *, at_data: bool, quiet: bool) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=quiet, highlight=False)
    console.print(_table(done, model, at_data))
    for entry in done.skipped:
        console.print(f"skipped: {escape(entry.reason)}", soft_wrap=True)


def _table(done: Completion, model: str, at_data: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Completion of {escape(model)}", title_justify="left", box=None, pad_edge=False)
    table.add_column("layer")
    for heading in ("inputs", "rows", "added", "partners", "pairs", "active", "channels"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("radius" if at_data else "grade", justify="right" if at_data else "left")
    for layer in done.layers:
        counts = (
            layer.n,
            layer.before,
            layer.added,
            layer.partners,
            layer.pairs,
            layer.always,
            layer.channels,
        )
        last = f"{layer.radius:.3g}" if at_data else layer.grade
        table.add_row(escape(layer.name), *(f"{count:,}" for count in counts), last)
    return table


def _document(done: Completion) -> dict[str, Any]:
    counts = ("n", "before", "added", "partners", "pairs", "always", "channels", "grade", "radius")
    layers = [
        {"layer": layer.name, **{name: getattr(layer, name) for name in counts}} for layer in done.layers
    ]
    skipped = [{"node": entry.node, "reason": entry.reason} for entry in done.skipped]
    return {"layers": layers, "skipped": skipped}
