"""``unrelu preimage``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import (
    Certificate,
    Data,
    Force,
    InputShape,
    Json,
    Layer,
    Mean,
    Model,
    Std,
    Weights,
    check_outputs,
    write_json,
)
from unrelu.cli._source import Source, open_source

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from unrelu.domains import Domain
    from unrelu.layers import ReLULayer
    from unrelu.preimage import Preimage, Preimages


def preimage(
    model: Model,
    data: Data,
    index: Annotated[
        int | None, typer.Option(min=0, help="Number of one sample, from 0; all samples if not given.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many samples.")] = None,
    layer: Layer = None,
    domain: Annotated[
        str,
        typer.Option(
            help="Where inputs may lie: space, orthant, box:LO,HI; of the first layer before --mean, --std."
        ),
    ] = "space",
    certificate: Certificate = None,
    json: Json = None,
    mean: Mean = None,
    std: Std = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Tell which inputs of a layer share their output: a single one, a bounded set, or an unbounded one.

    Exit code 0 if every sample was decided, 4 otherwise.

    For example:

      unrelu preimage model.onnx --data mnist:test --limit 1000

      unrelu preimage model.onnx --data mnist:test --index 7 --domain box:0,1 --certificate proof.json
    """
    if certificate is not None and index is None:
        raise typer.BadParameter("goes with --index: one certificate is about one sample")
    if index is not None and limit is not None:
        raise typer.BadParameter("goes without --index", param_hint="--limit")
    check_outputs(force, certificate, None if json == "-" else json)
    source = open_source(
        model, data, mean=mean, std=std, weights=weights, input_shape=input_shape, limit=limit
    )
    chosen = source.layer(layer)
    within = source.domain(domain, chosen)
    if index is None:
        undecided, document = _many(source, chosen, within, quiet=json == "-")
    else:
        undecided, document = _one(source, chosen, within, index, certificate, force, quiet=json == "-")
    write_json(document, json, force)
    if undecided:
        raise typer.Exit(Exit.UNDECIDED)


def _one(
    source: Source,
    layer: ReLULayer,
    domain: Domain | None,
    index: int,
    certificate: Path | None,
    force: bool,
    *,
    quiet: bool,
) -> tuple[bool, dict[str, Any]]:
    from rich.console import Console

    from unrelu.output import write_text
    from unrelu.preimage import Kind, preimage

    result = preimage(layer, source.inputs_of(layer, index), domain=domain)
    Console(stderr=quiet, soft_wrap=True, highlight=False).print(_told(layer, index, result))
    if certificate is not None and result.certificate is not None:
        write_text(certificate, result.certificate.to_json(), force=force)
        typer.echo(f"certificate: {certificate}", err=True)
    return result.kind == Kind.UNDECIDED, {
        "layer": layer.name,
        "index": index,
        "kind": str(result.kind),
        "dimension": result.dimension,
        "radius": result.radius,
        "evidence": str(result.evidence),
        "reason": result.reason,
    }


def _told(layer: ReLULayer, index: int, result: Preimage) -> str:
    from rich.markup import escape

    dimension = f", dimension {result.dimension}" if result.dimension >= 0 else ""
    radius = f"\ncertified radius: {result.radius:.4g}" if result.radius > 0 else ""
    return (
        f"sample {index}, layer {escape(layer.name)} ({layer.n:,} → {layer.m:,}): "
        f"[bold]{result.kind}[/]{dimension}\n{result.reason}; evidence: {result.evidence}{radius}"
    )


def _many(
    source: Source, layer: ReLULayer, domain: Domain | None, *, quiet: bool
) -> tuple[bool, dict[str, Any]]:
    from rich.console import Console

    from unrelu.preimage import preimages

    inputs = source.inputs_of(layer)
    result = preimages(layer, inputs, domain=domain)
    active = (layer.apply(inputs) > 0).sum(axis=1)
    console = Console(stderr=quiet)
    console.print(_table(layer, result, active))
    console.print(f"{len(inputs) - result.n_lp:,} of {len(inputs):,} settled without a linear program")
    return bool((result.kinds == "undecided").any()), {
        "layer": layer.name,
        "kinds": result.kinds.tolist(),
        "dimensions": result.dimensions.tolist(),
        "radii": result.radii.tolist(),
        "active": active.tolist(),
        "linear_programs": result.n_lp,
    }


def _table(layer: ReLULayer, result: Preimages, active: np.ndarray) -> Table:
    from rich.markup import escape
    from rich.table import Table

    title = f"Preimages of layer {escape(layer.name)} ({layer.n:,} → {layer.m:,})"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("preimage")
    for heading in ("samples", "share", "dimension", "active rows"):
        table.add_column(heading, justify="right")
    for kind in ("singleton", "bounded", "unbounded", "undecided"):
        those = result.kinds == kind
        if those.any():
            cells = (f"{those.sum():,}", f"{those.mean():.1%}")
            table.add_row(kind, *cells, _range(result.dimensions[those]), _range(active[those]))
    return table


def _range(values: np.ndarray) -> str:
    low, high = int(values.min()), int(values.max())
    return ("not proved" if low < 0 else f"{low:,}") if low == high else f"{low:,} to {high:,}"
