"""The machine's view of an audit: versioned JSON, described by ``schemas/audit.schema.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unrelu.audit._figures import (
    CollisionExample,
    Example,
    Histogram,
    InjectivityVerdict,
    LipschitzFigures,
    PreimageKinds,
    Quantiles,
    Share,
    SingularValues,
    SpectrumFigures,
)
from unrelu.audit._result import AuditResult, LayerAudit, SkippedNode
from unrelu.errors import DataError
from unrelu.output import write_text
from unrelu.stability import Interval

if TYPE_CHECKING:
    import os

SCHEMA = "unrelu/audit/1"
FORMAT_VERSION = 1


def to_dict(result: AuditResult) -> dict[str, Any]:
    """An audit as plain dictionaries, lists, numbers and strings.

    Figures that are not finite become ``None``; the pixels of the examples are left out.
    """
    return {"schema": SCHEMA, "format_version": FORMAT_VERSION, **_plain(result)}


def to_json(result: AuditResult, path: str | os.PathLike[str] | None = None, force: bool = False) -> str:
    """An audit as JSON text, and in a file if one is named.

    Args:
        result: What the audit found.
        path: The file to write; ``None`` writes none.
        force: Whether a file that is there already may be replaced.

    Returns:
        The JSON text.

    Raises:
        OutputError: The file cannot be written.
    """
    text = json.dumps(to_dict(result), indent=2, allow_nan=False) + "\n"
    if path is not None:
        write_text(path, text, force=force)
    return text


def from_dict(document: Mapping[str, Any]) -> AuditResult:
    """Read what `to_dict` made; the pixels of the examples come back empty, figures not finite as NaN.

    Raises:
        DataError: The document is not an audit, is of another version, or lacks a figure.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, Mapping) else type(document).__name__
        raise DataError(f'not an audit that can be read: expected "schema": "{SCHEMA}", got {found!r}')
    try:
        return cast(AuditResult, _build(AuditResult, document))
    except KeyError as error:
        raise DataError(f"the audit lacks {error.args[0]!r}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"the audit does not fit its schema: {error}") from error


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    text = (files(__package__) / "schemas" / "audit.schema.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))


def _plain(value: Any) -> Any:
    """Dataclasses to dictionaries, arrays left out, figures not finite to ``None``."""
    if is_dataclass(value):
        names = [f.name for f in fields(value) if f.name not in _PIXELS]
        return {name: _plain(getattr(value, name)) for name in names} | _derived(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _derived(value: object) -> dict[str, Any]:
    """Figures that follow from the others, for readers that do no arithmetic."""
    if isinstance(value, Share):
        return {"value": _plain(value.value)}
    return {"redundancy": _plain(value.redundancy)} if isinstance(value, LayerAudit) else {}


def _build(kind: type, entry: Mapping[str, Any]) -> Any:
    """A dataclass from its dictionary, its parts by the readers below."""
    readers = _READERS[kind]
    parts = {
        f.name: readers.get(f.name, _value)(entry[f.name]) for f in fields(kind) if f.name not in _PIXELS
    }
    parts |= {f.name: np.empty(0) for f in fields(kind) if f.name in _PIXELS}
    return kind(**parts)


def _value(part: Any) -> Any:
    """A list as a tuple, anything else as it is."""
    return tuple(part) if isinstance(part, list) else part


def _number(part: Any) -> float:
    return math.nan if part is None else float(part)


def _end(part: Any) -> float:
    """An end of an interval: what is not finite there is infinite."""
    return math.inf if part is None else float(part)


def _one(kind: type) -> Callable[[Any], Any]:
    return lambda entry: None if entry is None else _build(kind, entry)


def _many(kind: type) -> Callable[[Any], Any]:
    return lambda entries: tuple(_build(kind, entry) for entry in entries)


def _counts(part: Any) -> dict[str, tuple[int, ...]]:
    return {str(kind): tuple(column) for kind, column in part.items()}


_PIXELS = ("original", "reconstruction", "other", "target")
_FIGURES = ("active", "input_norm", "radius", "error", "error_other", "condition", "error_noisy")
_READERS: dict[type, dict[str, Callable[[Any], Any]]] = {
    AuditResult: {
        "layers": _many(LayerAudit),
        "skipped": _many(SkippedNode),
        "seconds": _number,
        "versions": dict,
    },
    LayerAudit: {name: _one(Quantiles) for name in _FIGURES}
    | {"active_histogram": _one(Histogram), "singleton": _one(Share), "examples": _many(Example)}
    | {
        "injectivity": _one(InjectivityVerdict),
        "preimages": _one(PreimageKinds),
        "collisions": _many(CollisionExample),
        "lipschitz": _one(LipschitzFigures),
        "spectrum": _one(SpectrumFigures),
    }
    | {"tests": dict, "seconds": _number},
    Quantiles: dict.fromkeys(("minimum", "low", "median", "high", "maximum"), _number),
    Share: dict.fromkeys(("low", "high", "confidence"), _number),
    Example: {"relative_error": _number},
    CollisionExample: {"distance": _number, "output_difference": _number},
    PreimageKinds: {"counts": _counts, "dimension": _one(Quantiles)},
    LipschitzFigures: {name: _one(Interval) for name in ("upper", "lower", "condition")},
    Interval: {"low": _end, "high": _end},
    SpectrumFigures: {"before": _one(SingularValues), "after": _one(SingularValues)},
    SingularValues: {"rank": _number},
    Histogram: {},
    InjectivityVerdict: {},
    SkippedNode: {},
}
