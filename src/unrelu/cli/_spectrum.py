"""``unrelu spectrum``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import (
    Data,
    Force,
    InputShape,
    Json,
    Mean,
    Model,
    Std,
    Weights,
    check_outputs,
    write_json,
)
from unrelu.cli._source import open_source

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from unrelu.stability import Method, SpectrumResult, Values

Picture = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Draw the decay of the singular values: .png, .svg or .pdf."),
]


def spectrum(
    model: Model,
    data: Data,
    output: Picture = None,
    json: Json = None,
    limit: Annotated[int, typer.Option(min=1, help="Use only the first so many samples.")] = 50,
    window: Annotated[
        str | None,
        typer.Option(help="Only along a window of the image: 8, in the middle; 8,6; 8,6,TOP,LEFT."),
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Name of a layer; several times for several; all if not given.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="dense: all values; lanczos: a few at either end; auto: what fits into memory."),
    ] = "auto",
    mean: Mean = None,
    std: Std = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Show the singular values of a network's linearisation layer by layer, before and after each ReLU.

    Small values are directions that are hard to recover; a rank below the number of directions tells how many
    are lost. The figures are medians over the samples.

    For example:

      unrelu spectrum model.onnx --data cifar10:test --limit 50 -o spectrum.png

      unrelu spectrum model.onnx --data cifar10:test --window 8 --json -
    """
    from rich.console import Console

    from unrelu.stability import spectrum as measure

    check_outputs(force, output, None if json == "-" else json)
    if output is not None:
        from unrelu.stability import picture_format

        picture_format(output)
    source = open_source(
        model, data, mean=mean, std=std, weights=weights, input_shape=input_shape, limit=limit
    )
    result = measure(
        source.network,
        source.inputs(),
        window=_window(window),
        layers=layer,
        method=cast("Method", method),
        progress=sys.stderr.isatty(),
    )
    Console(stderr=json == "-").print(_table(result))
    write_json(_document(result), json, force)
    if output is not None:
        result.plot(output, force=force)
        typer.echo(f"picture: {output}", err=True)
    if result.partial:
        raise typer.Exit(Exit.INTERRUPTED)


def _window(text: str | None) -> tuple[int, ...] | int | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter(
            f"expected whole numbers separated by commas, got {text!r}", param_hint="--window"
        )
    numbers = tuple(map(int, parts))
    return numbers[0] if len(numbers) == 1 else numbers


def _table(result: SpectrumResult) -> Table:
    from rich.markup import escape
    from rich.table import Table

    many = f"{result.samples:,} samples" if result.samples > 1 else "1 sample"
    title = f"Singular values along {result.directions:,} input directions, medians of {many}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("layer")
    for heading in ("outputs", "ReLU", "largest", "smallest > 0", "rank", "condition"):
        table.add_column(heading, justify="right")
    for entry in result.layers:
        table.add_row(escape(entry.name), f"{entry.m:,}", "before", *_cells(entry.up_to))
        table.add_row("", "", "after", *_cells(entry.through))
    if result.output is not None:
        table.add_row("output", "", "", *_cells(result.output))
    return table


def _cells(values: Values) -> tuple[str, ...]:
    largest, smallest = values.median_ends
    rank = f"{values.median_rank:,.0f}" if values.complete else "not known"
    # Of a few values the quotient is no more than a lower bound.
    sign = "" if values.complete else "≥ "
    return f"{largest:.4g}", f"{smallest:.4g}", rank, f"{sign}{values.median_condition:,.4g}"


def _document(result: SpectrumResult) -> dict[str, Any]:
    return {
        "samples": result.samples,
        "directions": result.directions,
        "partial": result.partial,
        "layers": [
            {
                "name": entry.name,
                "shape": list(entry.shape),
                "active": _numbers(entry.active),
                "before": _values(entry.up_to),
                "after": _values(entry.through),
            }
            for entry in result.layers
        ],
        "output": None if result.output is None else _values(result.output),
    }


def _values(values: Values) -> dict[str, Any]:
    return {
        "complete": values.complete,
        "values": _numbers(values.values),
        "rank": _numbers(values.rank),
        "condition": _numbers(values.condition),
        "error": None if values.error is None else _numbers(values.error),
        "median": _numbers(values.median),
    }


def _numbers(array: np.ndarray) -> Any:
    """Return an array as lists, with ``None`` for what is no number: JSON has no NaN."""
    plain = array.astype(object)
    plain[array != array] = None
    return plain.tolist()
