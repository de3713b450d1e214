"""The spreadsheet's view of an audit: one row a layer, flat columns, as CSV or as a pandas data frame."""

from __future__ import annotations

import csv
import io
import math
from itertools import product
from typing import TYPE_CHECKING, Any

from unrelu.audit._figures import KINDS
from unrelu.errors import MissingExtraError
from unrelu.output import write_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

    from unrelu.audit._result import AuditResult, LayerAudit

_QUANTILES = {"min": "minimum", "p05": "low", "median": "median", "p95": "high", "max": "maximum"}
_FIGURES = ("active", "input_norm", "radius", "error", "error_other", "error_noisy", "condition")
_PLAIN = (
    "m",
    "n",
    "redundancy",
    "rank",
    "rank_certified",
    "zero_rows",
    "dead_rows",
    "duplicate_rows",
    "antiparallel_rows",
    "samples",
    "undecided",
    "reconstructed",
    "noisy_samples",
)


def to_csv(result: AuditResult, path: str | os.PathLike[str] | None = None, force: bool = False) -> str:
    """An audit as CSV text, one row a layer, and in a file if one is named.

    A text that a spreadsheet would run as a formula (it starts with ``=``, ``+``, ``-`` or ``@``) gets an
    apostrophe in front: names in a model are untrusted.

    Args:
        result: What the audit found.
        path: The file to write; ``None`` writes none.
        force: Whether a file that is there already may be replaced.

    Returns:
        The CSV text; a figure that does not exist is an empty cell.

    Raises:
        OutputError: The file cannot be written.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    columns = _columns()
    writer.writerow(columns)
    writer.writerows([_cell(column(result, layer)) for column in columns.values()] for layer in result.layers)
    if path is not None:
        write_text(path, stream.getvalue(), force=force)
    return stream.getvalue()


def to_frame(result: AuditResult) -> pd.DataFrame:
    """An audit as a pandas data frame, one row a layer, columns as in `to_csv`.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("data frames need pandas: pip install 'unrelu[frame]'") from error
    columns = _columns()
    rows = [[column(result, layer) for column in columns.values()] for layer in result.layers]
    return pandas.DataFrame(rows, columns=list(columns))


def _columns() -> dict[str, Callable[[AuditResult, LayerAudit], Any]]:
    """Every column's name and how its figure is read."""
    columns: dict[str, Callable[[AuditResult, LayerAudit], Any]] = {
        "model": lambda result, _: result.model,
        "data": lambda result, _: result.data,
        "created": lambda result, _: result.created,
        "partial": lambda result, _: result.partial,
        "layer": lambda _, layer: layer.name,
        "node": lambda _, layer: layer.node,
        "source": lambda _, layer: layer.source,
        "kind": lambda _, layer: layer.kind,
        "in_shape": lambda _, layer: "x".join(map(str, layer.in_shape)),
        "out_shape": lambda _, layer: "x".join(map(str, layer.out_shape)),
    }
    columns |= {name: _attribute(name) for name in _PLAIN}
    for part, name in {
        "share": "value",
        **{p: p for p in ("count", "total", "low", "high", "confidence")},
    }.items():
        columns[f"singleton_{part}"] = _attribute("singleton", name)
    for figure in _FIGURES:
        columns |= {f"{figure}_{short}": _attribute(figure, name) for short, name in _QUANTILES.items()}
    columns["injectivity"] = _attribute("injectivity", "verdict")
    columns |= {f"preimage_{kind}": _preimages_of(kind) for kind in KINDS}
    for figure, part in product(("upper", "lower", "condition"), ("low", "high")):
        columns[f"lipschitz_{figure}_{part}"] = _attribute("lipschitz", figure, part)
    columns["lipschitz_complete"] = _attribute("lipschitz", "complete")
    for side, part in product(("before", "after"), ("rank", "largest", "smallest", "condition")):
        columns[f"spectrum_{side}_{part}"] = _attribute("spectrum", side, part)
    columns["tests"] = lambda _, layer: "; ".join(
        f"{test}={settled}" for test, settled in layer.tests.items()
    )
    columns["seconds"] = _attribute("seconds")
    columns["notes"] = lambda _, layer: " | ".join(layer.notes)
    return columns


def _preimages_of(kind: str) -> Callable[[AuditResult, LayerAudit], Any]:
    """A reader of the number of samples with preimages of one kind."""
    return lambda _, layer: None if layer.preimages is None else sum(layer.preimages.counts[kind])


def _attribute(*path: str) -> Callable[[AuditResult, LayerAudit], Any]:
    """A reader of a layer's attribute, or of a part of it; ``None`` where the layer has none."""

    def read(_: AuditResult, layer: LayerAudit) -> Any:
        value: Any = layer
        for name in path:
            value = None if value is None else getattr(value, name)
        return value

    return read


def _cell(value: Any) -> Any:
    """A cell: nothing for a missing figure, no formula, no line break."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
