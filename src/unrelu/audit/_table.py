"""The terminal's view of an audit, and the words and number formats that every view shares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from unrelu.audit._result import AuditResult, LayerAudit, Quantiles, Share

NONE = "–"
_MARKS = {"good": ("✓", "green"), "some": ("✗", "yellow"), "bad": ("✗", "red"), "unknown": ("?", "cyan")}


def clean(text: object) -> str:
    """One line of printable text: names in a model are untrusted and may hold terminal codes."""
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


def number(value: float | None) -> str:
    """Three significant digits: ``0.0123``, ``12.3``, ``1,230``, ``1.23e-7``.

    >>> number(0.000123456), number(2.0), number(1234.5), number(None)
    ('1.23e-4', '2', '1,230', '–')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e6:
        decimals = 0 if rounded == 0 else max(0, 2 - math.floor(math.log10(abs(rounded))))
        return _trimmed(f"{rounded:,.{decimals}f}")
    mantissa, exponent = f"{rounded:.2e}".split("e")
    return f"{_trimmed(mantissa)}e{int(exponent)}"


def count(value: float | None) -> str:
    """A number of things, which a quantile may put between two whole numbers: ``1,024`` or ``783.5``."""
    return NONE if value is None or not math.isfinite(value) else _trimmed(f"{value:,.1f}")


def percentage(share: float | None) -> str:
    """A share in per cent with one decimal, and more where it would otherwise read as none or all.

    >>> percentage(0.8731), percentage(0.9997), percentage(1.0), percentage(0.9999999)
    ('87.3 %', '99.97 %', '100 %', '> 99.999 %')
    """
    if share is None or math.isnan(share):
        return NONE
    for decimals in (1, 2, 3):
        text = f"{100 * share:.{decimals}f}"
        if share in {0.0, 1.0} or float(text) not in {0.0, 100.0}:
            return f"{_trimmed(text)} %"
    return "> 99.999 %" if share > 0.5 else "< 0.001 %"


def interval(share: Share) -> str:
    """The confidence interval of a share: ``84.1–90.2 %``."""
    if not share.total:
        return NONE
    low, high = (percentage(end).removesuffix(" %") for end in (share.low, share.high))
    return f"{low}–{high} %"


def sizes(shape: Sequence[int]) -> str:
    """A shape: ``3 × 32 × 32``."""
    return " × ".join(f"{size:,}" for size in shape) or "1"


def rank(layer: LayerAudit) -> str:
    """The rank of ``W``, marked ``≈`` where it is numerical and not proved."""
    if layer.rank is None:
        return NONE
    return f"{layer.rank:,}" if layer.rank_certified else f"≈ {layer.rank:,}"


def standing(layer: LayerAudit) -> str:
    """How a layer did: ``good`` (gives back all), ``some``, ``bad`` (nothing) or ``unknown``."""
    share = layer.singleton
    if not share.total:
        return "unknown"
    if share.count == share.total:
        return "unknown" if layer.undecided else "good"
    return "some" if share.count else "bad"


def verdict(layer: LayerAudit) -> str:
    """What the audit says of a layer in one sentence."""
    share, name = layer.singleton, _called(layer)
    if not share.total and not layer.undecided:
        return f"{name} is undecided: it saw no sample."
    if not share.total:
        return f"{name} is undecided: none of the {_samples(layer.undecided)} could be settled."
    lost = share.total - share.count
    if not lost:
        return f"{name} gives back {_every(share.total, layer.undecided)}{_but_undecided(layer.undecided)}."
    if not share.count:
        because = _because(layer)
        return f"{name} loses {_every(lost, layer.undecided)}{because}{_but_undecided(layer.undecided)}."
    extent = f"{percentage(lost / share.total)} of the samples ({lost:,} of {share.total:,})"
    return f"{name} loses {extent}{_but_undecided(layer.undecided)}."


def headline(result: AuditResult) -> str:
    """What the audit says of the whole model in one sentence."""
    total = len(result.layers)
    if not total:
        return "No ReLU layer could be audited."
    good = sum(standing(layer) == "good" for layer in result.layers)
    if total == 1:
        return verdict(result.layers[0])
    if good == total:
        return f"Each of the {total} layers gives back every sample."
    first = _called(next(layer for layer in result.layers if standing(layer) != "good"))
    who = f"{good} of the {total} layers {'gives' if good == 1 else 'give'}" if good else "No layer gives"
    return f"{who} back every sample; the first that does not is {first}."


def coverage(result: AuditResult) -> str:
    """How many samples the figures of an interrupted audit cover."""
    seen = sorted({layer.samples for layer in result.layers}) or [0]
    covered = f"{seen[0]:,}" if len(seen) == 1 else f"between {seen[0]:,} and {seen[-1]:,}"
    return f"the audit was interrupted; the figures cover {covered} of {_samples(result.samples)}"


def summary(result: AuditResult) -> RenderableType:
    """The whole audit for a terminal of 80 columns or more.

    Args:
        result: What the audit found.

    Returns:
        Something that `rich` can print: title, two tables, notes, skipped nodes and a verdict a layer.
    """
    parts: list[RenderableType] = [_title(result)]
    if result.layers:
        parts += ["", _kept_table(result.layers), _kept_key(result.layers)]
        parts += [
            "",
            _stability_table(result.layers),
            _key("median over the samples given back, and the worst of them"),
        ]
    if any(layer.notes for layer in result.layers):
        parts += ["", _notes(result.layers)]
    if result.skipped:
        parts += ["", _skipped_table(result)]
    return Group(*parts, "", _verdicts(result))


def _trimmed(text: str) -> str:
    """Drop the zeros after the decimal point that say nothing."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _called(layer: LayerAudit) -> str:
    """A layer's name as a sentence needs it: torch calls the layers of a Sequential 0, 1, 2."""
    name = clean(layer.name)
    return f"layer {name}" if name.isdigit() else name


def _samples(total: int) -> str:
    return f"{total:,} sample" if total == 1 else f"{total:,} samples"


def _every(total: int, undecided: int) -> str:
    """Name all decided samples."""
    if undecided:
        return f"every one of the {total:,} decided samples" if total > 1 else "the one decided sample"
    return f"every one of the {total:,} samples" if total > 1 else "the one sample"


def _but_undecided(undecided: int) -> str:
    if not undecided:
        return ""
    return f"; {_samples(undecided)} {'is' if undecided == 1 else 'are'} undecided"


def _because(layer: LayerAudit) -> str:
    """Why a layer cannot give back anything, where its sizes alone say so."""
    if layer.m < layer.n:
        return f", as it must: it has {layer.m:,} outputs for {layer.n:,} inputs"
    if layer.rank is not None and layer.rank_certified and layer.rank < layer.n:
        return f", as it must: its matrix has rank {layer.rank:,} and {layer.n:,} inputs"
    return ""


def _title(result: AuditResult) -> Text:
    size = f"{_samples(result.samples)} of shape {sizes(result.data_shape)}"
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


def _kept_table(layers: Sequence[LayerAudit]) -> Table:
    table = _new_table("What each layer gives back")
    table.add_column("layer", overflow="fold", min_width=8, max_width=32)
    level = percentage(layers[0].singleton.confidence)
    for header in ("n → m", "m/n", "rank", "active rows\n5 %–95 %", f"given back\n{level} interval"):
        table.add_column(header, justify="right", no_wrap=True)
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
        )
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
        radius = Text(NONE)
        if layer.radius is not None:
            radius = _cell(number(layer.radius.median), f"≥ {number(layer.radius.minimum)}")
        table.add_row(
            Text(clean(layer.name), "bold"),
            radius,
            _extremes(layer.error),
            _extremes(layer.condition),
            count(layer.dead_rows),
            count(layer.duplicate_rows),
            count(layer.antiparallel_rows),
        )
    return table


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
    for skipped in result.skipped:
        table.add_row(*(Text(clean(part)) for part in (skipped.node, skipped.operator, skipped.reason)))
    return table


def _verdicts(result: AuditResult) -> Group:
    if not result.layers:
        return Group(Text("No ReLU layer could be audited.", "bold"))
    grid = Table.grid(padding=(0, 1))
    for layer in result.layers:
        mark, color = _MARKS[standing(layer)]
        grid.add_row(Text(mark, f"bold {color}"), Text(verdict(layer), overflow="fold"))
    return Group(Text("Verdict", "bold"), grid)
