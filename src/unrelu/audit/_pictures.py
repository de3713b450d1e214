"""The charts of an audit: active rows, kinds of preimages, and an overview."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT, Theme, drawing
from unrelu.audit._figures import KINDS
from unrelu.audit._words import clean, count, number, percentage
from unrelu.stability._picture import draw_curve, log_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unrelu.audit._figures import PreimageKinds, SingularValues, SpectrumFigures
    from unrelu.audit._result import LayerAudit

WIDTH = 4.8  # inches: narrow enough that the text stays readable when scaled to a phone


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        figure: The figure.
        alt: What it shows, in words, for those who cannot see it; untrusted names are in it as they are.
        theme: Its colours.
    """

    figure: Figure = field(repr=False)
    alt: str
    theme: Theme = LIGHT

    def svg(self) -> str:
        """The picture as SVG text, without background."""
        stream = io.BytesIO()
        with drawing(self.theme):
            self.figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
        return stream.getvalue().decode("utf-8")

    def png(self, dpi: float = 200) -> bytes:
        """The picture as PNG, on the theme's paper.

        Args:
            dpi: Pixels an inch.
        """
        stream = io.BytesIO()
        with drawing(self.theme):
            self.figure.savefig(stream, format="png", dpi=dpi, facecolor=self.theme.paper)
        return stream.getvalue()

    def uri(self, kind: Literal["svg", "png"] = "svg") -> str:
        """The picture as a ``data:`` address."""
        content, media = (
            (self.png(), "image/png") if kind == "png" else (self.svg().encode(), "image/svg+xml")
        )
        return f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"


def active_rows(layer: LayerAudit, theme: Theme = LIGHT) -> Picture:
    """Histogram of the number of strictly active rows, with the ``n`` rows that a proof by rank needs."""
    histogram = layer.active_histogram
    with drawing(theme):
        figure, axes = _axes(theme, 2.6)
        axes.stairs(histogram.counts, histogram.edges, fill=True, color=theme.bar, label="samples")
        axes.axvline(layer.n, color=theme.mark, linewidth=2, label=f"n = {layer.n:,} needed")
        if layer.m < layer.n:
            label = f"beyond m = {layer.m:,}"
            axes.axvspan(
                layer.m, layer.n, facecolor="none", edgecolor=theme.muted, alpha=0.5, hatch="///", label=label
            )
        axes.set(
            xlabel="strictly active rows of a sample",
            ylabel="samples",
            ylim=(0, 1.05 * max(*histogram.counts, 1)),
        )
        axes.locator_params(integer=True, min_n_ticks=1)
        axes.margins(x=0.04)
        figure.legend(loc="outside upper left", frameon=False, labelcolor=theme.ink, ncols=3)
    return Picture(figure, _alt_active(layer), theme)


def preimage_kinds(layer: LayerAudit, kinds: PreimageKinds, theme: Theme = LIGHT) -> Picture:
    """Kinds of preimages against the number of strictly active rows (Behrmann et al. 2018, Figure 4)."""
    colors = dict(zip(KINDS, (theme.bar, theme.third, theme.mark, theme.muted), strict=True))
    below = np.zeros(len(kinds.edges) - 1)
    with drawing(theme):
        figure, axes = _axes(theme, 2.6)
        for kind, counts in kinds.counts.items():
            if any(counts):
                above = below + np.array(counts)
                axes.stairs(above, kinds.edges, baseline=below, fill=True, color=colors[kind], label=kind)
                below = above
        axes.axvline(layer.n, color=theme.ink, linewidth=1, linestyle="--", label=f"n = {layer.n:,}")
        axes.set(xlabel="strictly active rows of a sample", ylabel="samples", ylim=(0, 1.05 * max(*below, 1)))
        axes.locator_params(integer=True, min_n_ticks=1)
        axes.margins(x=0.04)
        figure.legend(loc="outside upper left", frameon=False, labelcolor=theme.ink, ncols=3)
    told = ", ".join(f"{sum(counts):,} {kind}" for kind, counts in kinds.counts.items() if sum(counts))
    alt = f"Histogram of the strictly active rows of {clean(layer.name)} by kind of preimage on R^n: {told}."
    return Picture(figure, alt, theme)


def singular_values(layer: LayerAudit, spectrum: SpectrumFigures, theme: Theme = LIGHT) -> Picture:
    """Decay of the singular values from the data up to a layer (Behrmann et al. 2018, Figure 6)."""
    sides = {"before the ReLU": spectrum.before, "after the ReLU": spectrum.after}
    with drawing(theme):
        figure, axes = _axes(theme, 2.6)
        log_scale(axes)
        for (label, side), color in zip(sides.items(), (theme.bar, theme.mark), strict=True):
            draw_curve(axes, side.numbers, side.values, label, color)
        axes.set(ylabel="singular value")
        axes.margins(x=0.04)
        figure.legend(loc="outside upper left", frameon=False, labelcolor=theme.ink, ncols=2)
    told = "; ".join(f"{label} {_decay_in_words(side)}" for label, side in sides.items())
    alt = f"Singular values that are not 0, from the data up to {clean(layer.name)}: {told}."
    return Picture(figure, alt, theme)


def _decay_in_words(side: SingularValues) -> str:
    if not side.rank:
        return "all are 0"
    return f"{count(side.rank)}, from {number(side.largest)} to {number(side.smallest)}"


def overview(layers: Sequence[LayerAudit], theme: Theme = LIGHT) -> Picture:
    """Share of samples that each layer gives back, with confidence intervals."""
    values = np.array([layer.singleton.value for layer in layers])
    ends = np.array([(layer.singleton.low, layer.singleton.high) for layer in layers]).reshape(-1, 2).T
    known, places = np.isfinite(values), np.arange(len(layers))
    with drawing(theme):
        figure, axes = _axes(theme, 0.8 + 0.32 * len(layers))
        axes.barh(places, 100 * np.nan_to_num(values), height=0.62, color=theme.bar)
        spread = np.clip(np.abs(ends - values), 0, None)[:, known] * 100
        axes.errorbar(
            100 * values[known],
            places[known],
            xerr=spread,
            fmt="none",
            ecolor=theme.mark,
            elinewidth=1.8,
            capsize=3,
        )
        for place, layer in enumerate(layers):
            label = "undecided" if not layer.singleton.total else percentage(layer.singleton.value)
            axes.text(1.02, place, label, transform=axes.get_yaxis_transform(), va="center", color=theme.ink)
        axes.set_yticks(places, labels=[_short(layer.name) for layer in layers])
        axes.set(xlim=(0, 100), ylim=(len(layers) - 0.5, -0.5), xlabel="samples given back, in per cent")
        axes.grid(visible=False, axis="y")
    told = "; ".join(f"{clean(layer.name)} {percentage(layer.singleton.value)}" for layer in layers)
    return Picture(figure, f"Bar chart of the samples that each layer gives back: {told}.", theme)


def _alt_active(layer: LayerAudit) -> str:
    """The histogram in words."""
    start = f"Histogram of the strictly active rows of {clean(layer.name)}, which has {layer.m:,} rows"
    if layer.active is None:
        return f"{start}; {layer.n:,} are needed."
    active = layer.active
    spread = f"median {count(active.median)}, from {count(active.minimum)} to {count(active.maximum)}"
    return f"{start}: {spread}; {layer.n:,} are needed."


def _short(name: str, longest: int = 22) -> str:
    """A name that fits beside a bar: its beginning and its end."""
    name = clean(name)
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-longest // 2 + 1 :]}"


def _axes(theme: Theme, height: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes, as quiet as possible."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=theme.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes
