"""The words and number formats that every view of an audit shares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.audit._figures import Share
    from unrelu.audit._result import AuditResult, LayerAudit
    from unrelu.stability import Interval

NONE = "–"


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


def between(ends: Interval) -> str:
    """Where a number lies: ``1.2–3.4``, ``≥ 1.2``, or ``1.2`` where three digits do not part the ends."""
    low, high = number(ends.low), number(ends.high)
    if low == high:
        return low
    return f"≥ {low}" if math.isinf(ends.high) else f"{low}–{high}"


def sizes(shape: Sequence[int]) -> str:
    """A shape: ``3 × 32 × 32``."""
    return " × ".join(f"{size:,}" for size in shape) or "1"


def rank(layer: LayerAudit) -> str:
    """The rank of ``W``, marked ``≈`` where it is numerical and not proved."""
    if layer.rank is None:
        return NONE
    return f"{layer.rank:,}" if layer.rank_certified else f"≈ {layer.rank:,}"


def injective(layer: LayerAudit) -> str:
    """Whether a layer is injective on R^n: yes, no or unknown."""
    if layer.injectivity is None:
        return NONE
    return {"injective": "yes", "not injective": "no"}.get(layer.injectivity.verdict, "unknown")


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
        return f"{name} is undecided: none of the {samples_of(layer.undecided)} could be settled."
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
    if not total and result.partial:
        return "The audit was interrupted before any sample was through."
    if not total:
        return "No ReLU layer could be audited."
    good = sum(standing(layer) == "good" for layer in result.layers)
    if total == 1:
        return verdict(result.layers[0])
    if good == total:
        return f"Each of the {total} layers gives back every sample."
    lossy = [layer for layer in result.layers if standing(layer) in {"some", "bad"}]
    if not lossy:
        open_ones = [_called(layer) for layer in result.layers if standing(layer) == "unknown"]
        return f"No layer is known to lose a sample; the first with undecided samples is {open_ones[0]}."
    who = f"{good} of the {total} layers {'gives' if good == 1 else 'give'}" if good else "No layer gives"
    return f"{who} back every sample; the first that does not is {_called(lossy[0])}."


def coverage(result: AuditResult) -> str:
    """How many samples the figures of an interrupted audit cover."""
    seen = sorted({layer.samples for layer in result.layers}) or [0]
    covered = f"{seen[0]:,}" if len(seen) == 1 else f"between {seen[0]:,} and {seen[-1]:,}"
    return f"the audit was interrupted; the figures cover {covered} of {samples_of(result.samples)}"


def radius_scale(layer: LayerAudit) -> float | None:
    """The median certified radius as a multiple of the median norm of the layer's inputs."""
    if layer.radius is None or not layer.input_norm.median > 0:
        return None
    return layer.radius.median / layer.input_norm.median


def reconstructed(layers: Sequence[LayerAudit]) -> str:
    """Over how many samples errors and condition numbers are, where these are not all; else nothing."""
    if all(layer.reconstructed == layer.samples for layer in layers):
        return ""
    taken = sorted({layer.reconstructed for layer in layers})
    if taken[-1] == 0:
        return "error and condition number: not measured"
    some = f"{taken[0]:,}" if len(taken) == 1 else f"{taken[0]:,} to {taken[-1]:,}"
    return f"error and condition number: over {some} of the samples, evenly spread"


def noisy(layers: Sequence[LayerAudit]) -> str:
    """Over how many samples the errors under noise are; nothing where there are none."""
    taken = sorted({layer.noisy_samples for layer in layers if layer.error_noisy})
    if not taken:
        return ""
    return samples_of(taken[0]) if len(taken) == 1 else f"{taken[0]:,} to {samples_of(taken[-1])}"


def _trimmed(text: str) -> str:
    """Drop the zeros after the decimal point that say nothing."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _called(layer: LayerAudit) -> str:
    """A layer's name as a sentence needs it: torch calls the layers of a Sequential 0, 1, 2."""
    name = clean(layer.name)
    return f"layer {name}" if name.isdigit() else name


def samples_of(total: int) -> str:
    """Count samples in words: ``1 sample``, ``1,797 samples``."""
    return f"{total:,} sample" if total == 1 else f"{total:,} samples"


def _every(total: int, undecided: int) -> str:
    """Name all decided samples."""
    if undecided:
        return f"every one of the {total:,} decided samples" if total > 1 else "the one decided sample"
    return f"every one of the {total:,} samples" if total > 1 else "the one sample"


def _but_undecided(undecided: int) -> str:
    if not undecided:
        return ""
    return f"; {samples_of(undecided)} {'is' if undecided == 1 else 'are'} undecided"


def _because(layer: LayerAudit) -> str:
    """Why a layer cannot give back anything, where its sizes alone say so."""
    if layer.m < layer.n:
        return f", as it must: it has {layer.m:,} outputs for {layer.n:,} inputs"
    if layer.rank is not None and layer.rank_certified and layer.rank < layer.n:
        return f", as it must: its matrix has rank {layer.rank:,} and {layer.n:,} inputs"
    return ""
