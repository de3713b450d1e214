"""``unrelu invert``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._options import (
    Force,
    InputShape,
    Json,
    Layer,
    Mean,
    Model,
    Std,
    Weights,
    check_outputs,
    layer_of,
    shape_of,
    write_json,
)
from unrelu.cli._source import Source, open_source

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from unrelu.domains import Domain
    from unrelu.inverse import InverseResult, NetworkInverse, Noise
    from unrelu.layers import Network, ReLULayer

_OFF = 1e-6  # residual above which an output is not one of the layer


def invert(
    model: Model,
    data: Annotated[
        str | None, typer.Option(help="Outputs to be inverted: a .npy/.npz/.safetensors/.csv file.")
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option("--from", help="Data whose outputs are computed, inverted and compared: mnist:test."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many samples.")] = None,
    layer: Layer = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Invert the whole network, layer by layer, from its outputs.")
    ] = False,
    domain: Annotated[
        str | None,
        typer.Option(
            help="Where inputs may lie: space, orthant, box:LO,HI. Not given: equations alone; given: the "
            "inequalities of rows at 0 are used too; of the first layer before --mean, --std."
        ),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(help="Errors of the outputs: a standard deviation, float16, or q8 for 8 bits."),
    ] = None,
    method: Annotated[str, typer.Option(help="auto, cholesky, cg, lsmr or frame.")] = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the reconstructions to this .npy file.")
    ] = None,
    json: Json = None,
    mean: Mean = None,
    std: Std = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Reconstruct the inputs of a layer from its outputs, and tell which are proved to be the only ones.

    For example:

      unrelu invert model.onnx --data outputs.npy -o inputs.npy

      unrelu invert model.onnx --from mnist:test --limit 1000 --noise 0.01
    """
    if (data is None) == (inputs is None):
        raise typer.BadParameter("expected exactly one of the two", param_hint="--data, --from")
    if whole and layer is not None:
        raise typer.BadParameter("goes without --layer", param_hint="--whole")
    check_outputs(force, output, None if json == "-" else json)
    if inputs is None:
        case = _given(model, str(data), weights, input_shape, layer, whole, domain, limit)
    else:
        source = open_source(
            model, inputs, mean=mean, std=std, weights=weights, input_shape=input_shape, limit=limit
        )
        case = _computed(source, layer, whole, domain)
    document, x = _run(case, noise, method, quiet=json == "-")
    if output is not None:
        _write(output, x, force)
    write_json(document, json, force)


@dataclass(frozen=True)
class _Case:
    """What is inverted.

    Attributes:
        subject: A layer or a network.
        y: Outputs.
        x: The inputs they come from, flat, where they are known.
        domain: Where inputs may lie.
    """

    subject: ReLULayer | Network
    y: np.ndarray
    x: np.ndarray | None
    domain: Domain | None


def _given(
    model: str,
    data: str,
    weights: Path | None,
    input_shape: str | None,
    layer: str | None,
    whole: bool,
    domain: str | None,
    limit: int | None,
) -> _Case:
    from unrelu.cli._models import load_network
    from unrelu.datasets import load
    from unrelu.domains import parse_domain

    outputs = load(data)
    y = (outputs if limit is None else outputs.take(limit)).inputs
    network = load_network(model, weights, None, shape_of(input_shape))
    subject = network if whole else layer_of(network, layer)
    return _Case(subject, y, None, None if domain is None else parse_domain(domain))


def _computed(source: Source, layer: str | None, whole: bool, domain: str | None) -> _Case:
    from unrelu.domains import Space

    if whole:
        x = source.inputs()
        y, subject = source.network.forward(x), source.network
        within = None if domain is None else source.domain(domain) or Space()
        return _Case(subject, y, x.reshape(len(x), -1), within)
    chosen = source.layer(layer)
    x = source.inputs_of(chosen)
    within = None if domain is None else source.domain(domain, chosen) or Space()
    return _Case(chosen, chosen.apply(x), x, within)


def _run(case: _Case, text: str | None, method: str, *, quiet: bool) -> tuple[dict[str, Any], np.ndarray]:
    import sys

    from rich.console import Console

    from unrelu.inverse import invert as solve
    from unrelu.layers import Network

    errors = _noise(text, case.y)
    y = case.y if case.x is None else _disturbed(case.y, errors)
    shown = sys.stderr.isatty()
    console = Console(stderr=quiet, highlight=False)
    if isinstance(case.subject, Network):
        whole = solve(case.subject, y, case.domain, method=method, noise=errors, progress=shown)
        console.print(_network_table(whole))
        for line in _network_told(whole, case):
            console.print(line, soft_wrap=True)
        return _network_document(whole, case), whole.x
    result = solve(case.subject, y, case.domain, method=method, noise=errors, progress=shown)
    console.print(_table(case.subject, result, case))
    off = result.residual > _OFF if errors is None else result.unique & (result.residual > 1)
    if off.any():
        told = (
            f"{int(off.sum()):,} of {off.size:,} outputs are not met by their reconstructions: residual up to"
        )
        console.print(f"{told} {float(result.residual[off].max()):.2g}", soft_wrap=True)
    return _document(case.subject, result, case), result.x


def _noise(text: str | None, y: np.ndarray) -> Noise | None:
    """Read what outputs suffer from."""
    from unrelu.inverse import Gaussian, Quantised, Rounded

    if text is None:
        return None
    if text in {"float16", "float32"}:
        return Rounded(text)
    if text.startswith("q") and text[1:].isdecimal() and 1 <= int(text[1:]) <= 32:
        largest = float(y.max(initial=0))
        return Quantised(largest / (2 ** int(text[1:]) - 1)) if largest > 0 else None
    try:
        deviation = float(text)
    except ValueError:
        deviation = -1.0
    if not 0 < deviation < float("inf"):
        message = f"expected a positive standard deviation, float16, float32 or q8, got {text!r}"
        raise typer.BadParameter(message, param_hint="--noise")
    return Gaussian(deviation)


def _disturbed(y: np.ndarray, noise: Noise | None) -> np.ndarray:
    """Do to outputs what the noise stands for."""
    import numpy as np

    from unrelu.inverse import Gaussian, Quantised, Rounded

    match noise:
        case Gaussian():
            return y + noise.deviation * np.random.default_rng(0).standard_normal(y.shape)
        case Quantised():
            return np.round(y / noise.step) * noise.step
        case Rounded():
            return y.astype(noise.dtype).astype(np.float64)
    return y


def _errors(x: np.ndarray, case: _Case) -> np.ndarray | None:
    import numpy as np

    if case.x is None:
        return None
    return np.asarray(np.linalg.norm(x.reshape(case.x.shape) - case.x, axis=1))


def _table(layer: ReLULayer, result: InverseResult, case: _Case) -> Table:
    import numpy as np
    from rich.markup import escape
    from rich.table import Table

    name = f"{escape(layer.name)} ({layer.n:,} → {layer.m:,})"
    title = f"Inputs of layer {name} from {result.unique.size:,} outputs"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("reconstructions", "outputs", "method", "residual", "condition", "error bound"):
        table.add_column(heading, justify="left" if heading in {"reconstructions", "method"} else "right")
    errors = _errors(result.x, case)
    if result.expected_error.any():
        table.add_column("expected error", justify="right")
    if errors is not None:
        table.add_column("error", justify="right")
    for name, those in (("proved unique", result.unique), ("not proved unique", ~result.unique)):
        if those.any():
            columns = [result.residual, result.condition, result.error_bound]
            columns += [result.expected_error] if result.expected_error.any() else []
            columns += [] if errors is None else [errors]
            methods = ", ".join(np.unique(result.method[those]).tolist())
            table.add_row(name, f"{those.sum():,}", methods, *(_spread(column[those]) for column in columns))
    return table


def _spread(values: np.ndarray) -> str:
    """Return median and largest of the values that are known and finite."""
    import numpy as np

    known = values[np.isfinite(values)]
    return f"{np.median(known):.2g} (≤ {known.max():.2g})" if known.size else "-"


def _document(layer: ReLULayer, result: InverseResult, case: _Case) -> dict[str, Any]:
    errors = _errors(result.x, case)
    return {
        "layer": layer.name,
        "unique": result.unique.tolist(),
        "method": result.method.tolist(),
        **{
            name: _numbers(getattr(result, name))
            for name in ("residual", "condition", "error_bound", "expected_error")
        },
        **({} if errors is None else {"error": _numbers(errors)}),
    }


def _numbers(values: np.ndarray) -> list[float | None]:
    """Return numbers as JSON knows them: null for what is unknown or infinite."""
    import numpy as np

    return [float(value) if np.isfinite(value) else None for value in values.reshape(-1)]


def _network_table(result: NetworkInverse) -> Table:
    from rich.markup import escape
    from rich.table import Table

    title = f"Inputs of the network from {result.unique.size:,} outputs, layer by layer"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("layer")
    for heading in ("inputs", "outputs", "proved unique", "residual", "condition"):
        table.add_column(heading, justify="right")
    for row in result.layers:
        cells = (f"{row.n:,}", f"{row.m:,}", f"{row.unique.sum():,}")
        table.add_row(escape(row.name), *cells, _spread(row.residual), _spread(row.condition))
    return table


def _network_told(result: NetworkInverse, case: _Case) -> list[str]:
    told = [f"proved unique: {result.unique.sum():,} of {result.unique.size:,}"]
    if result.lost_at is not None:
        row = next(row for row in result.layers if row.name == result.lost_at)
        told.append(f"information is lost at {row.name}: {row.n:,} inputs, {row.m:,} outputs")
    told.append(f"residual of the whole: {_spread(result.residual)}")
    errors = _errors(result.x, case)
    return told if errors is None else [*told, f"error: {_spread(errors)}"]


def _network_document(result: NetworkInverse, case: _Case) -> dict[str, Any]:
    errors = _errors(result.x, case)
    return {
        "unique": result.unique.tolist(),
        "residual": _numbers(result.residual),
        "condition": _numbers(result.condition),
        "lost_at": result.lost_at,
        "layers": [
            {
                "name": row.name,
                "n": row.n,
                "m": row.m,
                "loses": row.loses,
                "unique": row.unique.tolist(),
                "residual": _numbers(row.residual),
                "condition": _numbers(row.condition),
            }
            for row in result.layers
        ],
        **({} if errors is None else {"error": _numbers(errors)}),
    }


def _write(path: Path, x: np.ndarray, force: bool) -> None:
    import io

    import numpy as np

    from unrelu.output import write_bytes

    array = io.BytesIO()
    np.save(array, x, allow_pickle=False)
    write_bytes(path, array.getvalue(), force=force)
    typer.echo(f"reconstructions: {path}", err=True)
