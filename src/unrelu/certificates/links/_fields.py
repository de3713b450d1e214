"""A link as JSON holds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrelu.certificates._fields import Fields, refuse
from unrelu.certificates._layer_record import LayerRecord, layer_fields, read_layer
from unrelu.certificates._packing import pack, small, unpack
from unrelu.certificates.links._entrywise import ENTRY_FUNCTIONS, EntryFunction
from unrelu.certificates.links._record import LinkRecord, LinkReference
from unrelu.certificates.links._step import STEPS, LinkStep, NormRecord, StepReference

_MOST_STEPS = 10_000


def link_fields(link: LinkRecord | LinkReference, rows: bool) -> dict[str, Any]:
    """Return a link as JSON holds it, with its numbers or without."""
    known = link.reference if isinstance(link, LinkRecord) else link
    return {
        "name": known.name,
        "n": known.n,
        "m": known.m,
        "exact": known.exact,
        "steps": [
            {
                "kind": step.kind,
                "inputs": list(step.inputs),
                "node": step.node,
                "sha256": step.sha256,
                "numbers": _numbers(link.steps[k]) if isinstance(link, LinkRecord) and rows else None,
            }
            for k, step in enumerate(known.steps)
        ],
    }


def _numbers(step: LinkStep) -> dict[str, Any]:
    groups, norm = step.groups, step.norm
    return {
        "map": layer_fields(step.map, True),
        "groups": None
        if groups is None
        else {"count": len(groups), "size": groups.shape[1], "entries": pack(small(groups))},
        "norm": None
        if norm is None
        else {
            "gain": norm.gain.tolist(),
            "offset": norm.offset.tolist(),
            "count": norm.count,
            "eps": norm.eps,
            "centred": norm.centred,
        },
        "function": None
        if step.function is None
        else {"name": step.function.name, "parameter": step.function.parameter},
    }


def read_link(fields: Fields) -> LinkRecord | LinkReference:
    """Read what `link_fields` returned.

    Raises:
        ArgumentError: If a field is not as expected, or the numbers are others than declared.
    """
    name, n, m = fields.text("name"), fields.whole("n", 1), fields.whole("m", 1)
    exact, where = fields.flag("exact"), fields.name("steps")
    entries = fields.entries("steps")
    fields.end()
    if not 1 <= len(entries) <= _MOST_STEPS:
        refuse(where, f"1 to {_MOST_STEPS} steps", f"{len(entries)}")
    read = [_read_step(Fields(v, f"{where}[{k}]")) for k, v in enumerate(entries)]
    declared = LinkReference(name, n, m, exact, tuple(step for step, _ in read))
    held = tuple(step for _, step in read if step is not None)
    if not held:
        return declared
    if len(held) < len(read):
        refuse(where, "the numbers of every step, or of none", "those of some")
    record = LinkRecord(n, held)
    if record.reference != declared:
        refuse(where, f"what makes {declared}", f"{record.reference}")
    return record


def _read_step(fields: Fields) -> tuple[StepReference, LinkStep | None]:
    kind, inputs = fields.choice("kind", STEPS), tuple(fields.indices("inputs").tolist())
    reference = StepReference(kind, inputs, fields.text("node"), fields.text("sha256"))
    held = not fields.skip_null("numbers")
    step = _read_numbers(kind, inputs, fields.child("numbers")) if held else None
    fields.end()
    return reference, step


def _read_numbers(kind: str, inputs: tuple[int, ...], fields: Fields) -> LinkStep:
    known = read_layer(fields.child("map"))
    if not isinstance(known, LayerRecord):
        refuse(fields.name("map.rows"), "numbers", "null")
    groups = None if fields.skip_null("groups") else _read_groups(fields.child("groups"))
    norm = None if fields.skip_null("norm") else _read_norm(fields.child("norm"), known.m)
    function = None if fields.skip_null("function") else _read_function(fields.child("function"))
    fields.end()
    return LinkStep(kind, inputs, known, groups, norm, function)


def _read_groups(fields: Fields) -> np.ndarray:
    count, size = fields.whole("count", 1), fields.whole("size", 1)
    (entries,) = unpack(fields.text("entries"), fields.name("entries"), [("<i4", count * size)])
    fields.end()
    return entries.reshape(count, size)


def _read_norm(fields: Fields, m: int) -> NormRecord:
    gain, offset = fields.floats("gain", m), fields.floats("offset", m)
    count, eps, centred = fields.whole("count", 1), fields.number("eps"), fields.flag("centred")
    fields.end()
    return NormRecord(gain, offset, count, eps, centred)


def _read_function(fields: Fields) -> EntryFunction:
    name = fields.choice("name", ENTRY_FUNCTIONS)
    parameter = None if fields.skip_null("parameter") else fields.signed("parameter")
    fields.end()
    return EntryFunction(name, parameter)
