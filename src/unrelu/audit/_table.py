"""The terminal's view of an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unrelu.audit._figures import KINDS
from unrelu.audit._noise import NOISE
from unrelu.audit._words import (
    NONE,
    between,
    clean,
    count,
    coverage,
    headline,
    injective,
    interval,
    noisy,
    number,
    percentage,
    radius_scale,
    rank,
    reconstructed,
    samples_of,
    sizes,
    standing,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from unrelu.audit._figures import Quantiles, SingularValues
    from unrelu.audit._result import AuditResult, LayerAudit

_MOST_SKIPPED = 20
_MARKS = {"good": ("✓", "green"), "some": ("✗", "yellow"), "bad": ("✗", "red"), "unknown": ("?", "cyan")}


def summary(result: AuditResult) -> RenderableType:
    """The whole audit for a terminal of 80 columns or more.

    Args:
        result: What the audit found.

    Returns:
        Something that `rich` can print: title, tables, notes, skipped nodes and a verdict a layer.
    """
    parts: list[RenderableType] = [_title(result)]
    if result.layers:
        parts += ["", _kept_table(result.layers), _kept_key(result.layers)]
        classified = [layer for layer in result.layers if layer.preimages]
        if classified:
            parts += ["", _preimage_table(classified), _preimage_key(classified)]
        parts += ["", _stability_table(result.layers), _stability_key(result.layers)]
        bounded = [layer for layer in result.layers if layer.error_noisy or layer.lipschitz]
        if bounded:
            parts += ["", _growth_table(bounded), _growth_key(bounded)]
        linearised = [layer for layer in result.layers if layer.spectrum]
        if linearised:
            parts += ["", _spectrum_table(linearised), _spectrum_key(linearised)]
    if any(layer.notes for layer in result.layers):
        parts += ["", _notes(result.layers)]
    if result.skipped:
        parts += ["", _skipped_table(result)]
        if len(result.skipped) > _MOST_SKIPPED:
            parts.append(
                _key(f"and {len(result.skipped) - _MOST_SKIPPED:,} more: report and JSON name them all")
            )
    return Group(*parts, "", _verdicts(result))


def _title(result: AuditResult) -> Text:
    size = f"{samples_of(result.samples)} of shape {sizes(result.data_shape)}"
    title = Text.assemble(
        ("Audit of ", "bold"),
        (clean(result.model), "bold"),
        "\n",
        f"data {clean(result.data)} · {size} · {number(result.seconds)} s",
    )
    if result.partial:
        title.append(f"\nPARTIAL: {coverage(result)}", "bold yellow")
    return title


def _new_table(title: str) -> Table:
    style = box.Box(
        "    \n    \n ── \n    \n    \n    \n    \n    \n"
    )  # as SIMPLE_HEAD, without its empty lines
    return Table(
        title=title, box=style, show_edge=False, pad_edge=False, title_justify="left", title_style="bold"
    )


def _key(text: str) -> Text:
    """What the figures of the table above mean."""
    return Text(text, "dim")


def _kept_key(layers: Sequence[LayerAudit]) -> Text:
    numerical = any(layer.rank is not None and not layer.rank_certified for layer in layers)
    key = "given back: no other input has the same output"
    return _key(key + "; ≈: numerical rank, not proved" * numerical)


def _preimage_key(layers: Sequence[LayerAudit]) -> Text:
    taken = sorted({layer.preimages.samples for layer in layers if layer.preimages})
    some = samples_of(taken[0]) if len(taken) == 1 else f"{taken[0]:,} to {samples_of(taken[-1])}"
    return _key(f"kind of the set of all inputs in R^n with the same output, over {some}")


def _stability_key(layers: Sequence[LayerAudit]) -> Text:
    parts = ["medians over the samples given back; ≤: the worst of them"]
    if any(radius_scale(layer) is not None for layer in layers):
        parts.append("× ‖x‖: the radius in units of the median norm of the layer's inputs")
    return _key("\n".join([*parts, *filter(None, [reconstructed(layers)])]))


def _growth_key(layers: Sequence[LayerAudit]) -> Text:
    parts = []
    if noisy(layers):
        level = percentage(NOISE)
        parts.append(
            "error under noise: relative, to be expected if outputs carry normal noise of\n"
            f"{level} of their root mean square; over {noisy(layers)} given back, ≤: the worst"
        )
    if any(layer.lipschitz for layer in layers):
        parts.append("Lipschitz constants: distances on R^n grow and shrink at most by these factors")
    return _key("\n".join(parts))


def _spectrum_key(layers: Sequence[LayerAudit]) -> Text:
    first = next(layer.spectrum for layer in layers if layer.spectrum)
    return _key(
        f"of the linearisation along all {first.directions:,} inputs; medians of {samples_of(first.samples)}"
    )


def _cell(first: str, second: str = "") -> Text:
    """A figure and, dimmed below it, its spread."""
    return Text.assemble(first, "\n" if second else "", (second, "dim"))


def _spread(quantiles: Quantiles | None) -> Text:
    """Median of a count of rows, and the 5 % and 95 % quantiles."""
    if quantiles is None:
        return Text(NONE)
    return _cell(count(quantiles.median), f"{count(quantiles.low)}–{count(quantiles.high)}")


def _extremes(quantiles: Quantiles | None) -> Text:
    """Median and maximum."""
    return (
        Text(NONE) if quantiles is None else _cell(number(quantiles.median), f"≤ {number(quantiles.maximum)}")
    )


def _radius(layer: LayerAudit) -> Text:
    """Median of the certified radius, and how large that is for an input of the layer."""
    if layer.radius is None:
        return Text(NONE)
    scale = radius_scale(layer)
    return _cell(number(layer.radius.median), "" if scale is None else f"{number(scale)} × ‖x‖")


def _kept_table(layers: Sequence[LayerAudit]) -> Table:
    table = _new_table("What each layer gives back")
    table.add_column("layer", overflow="fold", min_width=8, max_width=32)
    level = percentage(layers[0].singleton.confidence)
    for header in ("n → m", "m/n", "rank", "active rows\n5 %–95 %", f"given back\n{level} interval"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("injective\non R^n", justify="right", no_wrap=True)
    for layer in layers:
        share = _cell(percentage(layer.singleton.value), interval(layer.singleton))
        share.stylize(_MARKS[standing(layer)][1], 0, share.plain.index("\n"))
        table.add_row(
            Text(clean(layer.name), "bold"),
            f"{layer.n:,} → {layer.m:,}",
            number(layer.redundancy),
            rank(layer),
            _spread(layer.active),
            share,
            injective(layer),
        )
    return table


def _preimage_table(layers: Sequence[LayerAudit]) -> Table:
    table = _new_table("What shares an output")
    table.add_column("layer", overflow="fold", min_width=8, max_width=32)
    for header in (*KINDS, "dimension"):
        table.add_column(header, justify="right", no_wrap=True)
    for layer in layers:
        if layer.preimages:
            counts = [sum(layer.preimages.counts[kind]) for kind in KINDS]
            row = [percentage(number / layer.preimages.samples) for number in counts]
            table.add_row(Text(clean(layer.name), "bold"), *row, _spread(layer.preimages.dimension))
    return table


def _stability_table(layers: Sequence[LayerAudit]) -> Table:
    table = _new_table("How stable the way back is, and idle rows")
    table.add_column("layer", overflow="fold", min_width=8, max_width=32)
    headers = (
        "certified\nradius",
        "relative\nerror",
        "condition\nnumber",
        "dead\nrows",
        "repeated\nrows",
        "opposite\nrows",
    )
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    for layer in layers:
        table.add_row(
            Text(clean(layer.name), "bold"),
            _radius(layer),
            _extremes(layer.error),
            _extremes(layer.condition),
            count(layer.dead_rows),
            count(layer.duplicate_rows),
            count(layer.antiparallel_rows),
        )
    return table


def _growth_table(layers: Sequence[LayerAudit]) -> Table:
    table = _new_table("How errors grow on the way back")
    table.add_column("layer", overflow="fold", min_width=8, max_width=32)
    for header in ("error\nunder noise", "upper Lipschitz\nconstant", "lower\nconstant", "their\nquotient"):
        table.add_column(header, justify="right", no_wrap=True)
    for layer in layers:
        found = layer.lipschitz
        ends = (found.upper, found.lower, found.condition) if found else ()
        constants = map(between, ends) if ends else [NONE] * 3
        table.add_row(Text(clean(layer.name), "bold"), _extremes(layer.error_noisy), *constants)
    return table


def _spectrum_table(layers: Sequence[LayerAudit]) -> Table:
    table = _new_table("Singular values from the data up to each layer")
    table.add_column("layer", overflow="fold", min_width=8, max_width=32)
    for header in ("ReLU", "rank", "largest", "smallest > 0", "condition"):
        table.add_column(header, justify="right", no_wrap=True)
    for layer in layers:
        if layer.spectrum:
            table.add_row(Text(clean(layer.name), "bold"), "before", *_singular(layer.spectrum.before))
            table.add_row("", "after", *_singular(layer.spectrum.after))
    return table


def _singular(values: SingularValues) -> tuple[str, ...]:
    return count(values.rank), number(values.largest), number(values.smallest), number(values.condition)


def _notes(layers: Sequence[LayerAudit]) -> Group:
    lines = [
        Padding(Text.assemble((f"{clean(layer.name)}: ", "bold"), clean(note)), (0, 0, 0, 2))
        for layer in layers
        for note in layer.notes
    ]
    return Group(Text("Notes", "bold"), *lines)


def _skipped_table(result: AuditResult) -> Table:
    table = _new_table("Not analysed")
    for header in ("node", "operator"):
        table.add_column(header, overflow="fold", max_width=32)
    table.add_column("reason", overflow="fold")
    for skipped in result.skipped[:_MOST_SKIPPED]:
        table.add_row(*(Text(clean(part)) for part in (skipped.node, skipped.operator, skipped.reason)))
    return table


def _verdicts(result: AuditResult) -> Group:
    if not result.layers:
        return Group(Text(headline(result), "bold"))
    grid = Table.grid(padding=(0, 1))
    for layer in result.layers:
        mark, color = _MARKS[standing(layer)]
        grid.add_row(Text(mark, f"bold {color}"), Text(verdict(layer), overflow="fold"))
    return Group(Text("Verdict", "bold"), grid)
