"""``unrelu complete``."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import Force, Json, Mean, Std, check_outputs, write_json

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from unrelu.certificates import Certificate
    from unrelu.nn import Completion

Layers = Annotated[
    list[str] | None,
    typer.Option(help="Complete this layer; may be given several times. All that can be if not given."),
]
Where = Annotated[
    str,
    typer.Option(
        help="Where inputs of the layer may lie: space, orthant, box:LO,HI, ball:R. Of several layers: "
        "of the first; inputs of later ones are at least 0."
    ),
]
Samples = Annotated[
    str | None,
    typer.Option(help="Make each of these samples the only input with its output: mnist:test, images.npy"),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Time for each layer, about: to decide it (10 if not given), or with --data for its certificate "
        "(as long as it takes if not given).",
    ),
]
Condition = Annotated[
    float,
    typer.Option(
        metavar="FACTOR",
        show_default="1e7",
        help="How many times relative errors may grow on the way back, about; beyond it an injective layer "
        "gets rows, too. Not with --data.",
    ),
]
Encoder = Annotated[
    Path | None,
    typer.Option(
        help="Also write the model up to the last completed layer, with all its rows as output, to this ONNX "
        "file."
    ),
]
Proofs = Annotated[
    Path | None,
    typer.Option(
        help="Write the proof to this file, for unrelu verify; of several layers to one file each, with the "
        "layer's name: proof.LAYER.json."
    ),
]


def complete(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Write the completed model to this ONNX file.")
    ],
    layer: Layers = None,
    domain: Where = "space",
    data: Samples = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many samples.")] = None,
    radius: Annotated[
        float, typer.Option(min=0, help="With --data: so is every input within this distance of one.")
    ] = 0.0,
    condition: Condition = 1e7,
    time_limit: Seconds = None,
    certificate: Proofs = None,
    encoder: Encoder = None,
    json: Json = None,
    mean: Mean = None,
    std: Std = None,
    force: Force = False,
) -> None:
    """Append rows to layers until they are injective; predictions stay bit for bit.

    What reads a completed layer reads its old rows by the same operations as
    before; --encoder writes the model that ends with all of them, so that its
    output tells the input.

    Of several layers each has a certificate of its own, proof.LAYER.json. If
    together they prove that the encoder is injective, or without --encoder the
    whole network, proof.json says so.

    Exit code 0, or 4 if there was no time for a certificate that was asked for.

    For example:

      unrelu complete model.onnx --layer fc1 -o done.onnx --certificate proof.json

      unrelu complete model.onnx -o done.onnx --encoder encoder.onnx

      unrelu complete model.onnx --data mnist:test --radius 0.1 -o done.onnx
    """
    from unrelu.domains import parse_domain

    if data is None and (radius or limit or mean or std):
        raise typer.BadParameter("goes with --data", param_hint="--radius, --limit, --mean, --std")
    _check_model(model)
    files = {} if certificate is None else _proof_files(certificate, _names(model, layer or []))
    whole = certificate if len(files) > 1 else None
    check_outputs(force, output, encoder, None if json == "-" else json, *files.values(), whole)
    options: dict[str, Any] = {"domain": parse_domain(domain), "radius": radius, "condition": condition}
    options["time_limit"] = time_limit
    if data is not None:
        options["data"] = _samples(model, data, limit, mean, std)
    done = _completed(model, layer or None, options)
    _tell(done, model, None if data is not None else condition, quiet=json == "-")
    _write(done, output, encoder, force)
    _write_proofs(done, files, whole, encoder is not None, force)
    write_json({"domain": domain, "data": data, **_document(done)}, json, force)
    raise typer.Exit(_exit_code(done, certificate is not None))


def _completed(model: str, layers: list[str] | None, options: dict[str, Any]) -> Completion:
    """Complete a model; Ctrl-C ends the command unless there is something to be written by then."""
    from unrelu.nn import complete as append_rows

    try:
        return append_rows(model, layers, progress=sys.stderr.isatty(), **options)
    except KeyboardInterrupt:
        typer.echo("interrupted before the model was completed: nothing is written", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None


def _write(done: Completion, output: Path, encoder: Path | None, force: bool) -> None:
    from unrelu.output import write_bytes

    write_bytes(output, done.model.SerializeToString(deterministic=True), force=force)
    typer.echo(f"model: {output}", err=True)
    if encoder is not None:
        write_bytes(encoder, done.encoder_model.SerializeToString(deterministic=True), force=force)
        grows = "" if math.isnan(done.condition) else f", condition about {done.condition:.2g}"
        typer.echo(f"encoder: {encoder}{grows}", err=True)


def _write_proofs(
    done: Completion, files: dict[str, Path], whole: Path | None, of_encoder: bool, force: bool
) -> None:
    """Write the proofs of layers, and that of the encoder or the whole network, where there is one."""
    from unrelu.output import write_text

    proofs: list[tuple[Path, Certificate | None]] = [
        (files[layer.name], layer.certificate) for layer in done.layers if files
    ]
    if whole is not None:
        proofs.append((whole, done.encoder_certificate if of_encoder else done.network_certificate))
    if of_encoder and whole is not None and done.encoder_certificate is None:
        typer.echo("no certificate of the encoder: not all of its layers have one for a domain", err=True)
    for path, proof in proofs:
        if proof is not None:
            write_text(path, proof.to_json(), force=force)
            typer.echo(f"certificate: {path}", err=True)


def _exit_code(done: Completion, asked: bool) -> Exit:
    """Say whether certificates that were asked for are there, or Ctrl-C ended the work."""
    if any(layer.interrupted for layer in done.layers):
        return Exit.INTERRUPTED
    missing = any(layer.certificate is None for layer in done.layers)
    return Exit.UNDECIDED if asked and missing else Exit.OK


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


def _names(model: str, layers: list[str]) -> list[str]:
    """Return the names of the layers that are to be completed, as far as they are there."""
    from unrelu.layers import trace

    network = trace(model)
    return [network[name].name for name in layers if name in network] if layers else list(network)


def _proof_files(certificate: Path, names: list[str]) -> dict[str, Path]:
    """Return the file for each layer's proof: the one given, with the layer's name if there are several."""
    if len(names) == 1:
        return {names[0]: certificate}
    files: dict[str, Path] = {}
    for name in names:
        short = re.sub(r"[^\w.-]+", "_", name)
        path = certificate.with_name(f"{certificate.stem}.{short}{certificate.suffix}")
        if path in files.values():
            path = path.with_name(f"{path.stem}.{len(files)}{path.suffix}")
        files[name] = path
    return files


def _tell(done: Completion, model: str, condition: float | None, *, quiet: bool) -> None:
    """Tell what became of the layers: on a domain with the condition asked for, or at data."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=quiet, highlight=False)
    console.print(_table(done, model, condition is None))
    for entry in done.skipped:
        console.print(f"skipped: {escape(entry.reason)}", soft_wrap=True)
    for layer in done.layers:
        told = f"no certificate of layer {layer.name!r}: {layer.reason}" if layer.reason else ""
        if condition is not None and layer.condition > condition:
            told = f"warning: layer {layer.name!r}: errors may grow more than --condition {condition:g} times"
        if told:
            console.print(escape(told), soft_wrap=True)


def _table(done: Completion, model: str, at_data: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Completion of {escape(model)}", title_justify="left", box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    in_channels = any(layer.channels for layer in done.layers)
    headings = ("inputs", "rows", "added", "partners", "pairs", "active", *(["channels"] * in_channels))
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    if not at_data:
        table.add_column("condition", justify="right", no_wrap=True)
    table.add_column("radius" if at_data else "grade", justify="right" if at_data else "left")
    for layer in done.layers:
        counts = (
            layer.n,
            layer.before,
            layer.added,
            layer.partners,
            layer.pairs,
            layer.always,
            *([layer.channels] * in_channels),
        )
        cells = [f"{layer.radius:.3g}"] if at_data else [f"{layer.condition:.2g}", layer.grade]
        table.add_row(escape(layer.name), *(f"{count:,}" for count in counts), *cells)
    return table


def _document(done: Completion) -> dict[str, Any]:
    counts = ("n", "before", "added", "partners", "pairs", "always", "channels", "grade", "radius", "reason")
    layers: list[dict[str, Any]] = [
        {"layer": layer.name, **{name: getattr(layer, name) for name in counts}} for layer in done.layers
    ]
    for entry, layer in zip(layers, done.layers, strict=True):
        entry["condition"] = layer.condition if math.isfinite(layer.condition) else None
    skipped = [{"node": entry.node, "reason": entry.reason} for entry in done.skipped]
    return {"layers": layers, "skipped": skipped}
