"""The pictures of an audit: active rows, reconstructions, and an overview."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT, Theme, drawing
from unrelu.audit._words import clean, count, number, percentage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unrelu.audit._result import Example, LayerAudit

_WIDTH = 4.8  # inches: narrow enough that the text stays readable when scaled to a phone
_PANEL = 1.26  # inches: width of one image of a triptych
_FATES = {1: "given back", 0: "lost", -1: "undecided"}
_MOST_PIXELS = 256  # a side; more cannot be told apart in the report and would only make it heavy


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


def drawable(example: Example) -> bool:
    """Whether a sample is an image: ``(H, W)``, or ``(C, H, W)`` with one channel or three."""
    shape = example.original.shape
    return min(shape, default=0) > 0 and (len(shape) == 2 or (len(shape) == 3 and shape[0] in {1, 3}))


def reconstructions(name: str, shown: Sequence[Example], theme: Theme = LIGHT) -> Picture:
    """Drawable samples, what the output of the layer ``name`` gives back of them, and the difference."""
    tall = _PANEL * min(max(shown[0].original.shape[-2] / shown[0].original.shape[-1], 0.3), 2.0)
    pitch = tall + 0.32
    with drawing(theme):
        figure = Figure(figsize=(_WIDTH, pitch * len(shown) + 0.2))
        for place, example in enumerate(shown):
            _triptych(
                figure,
                example,
                caption(example),
                bottom=pitch * (len(shown) - 1 - place) + 0.05,
                tall=tall,
            )
        for place, title in enumerate(("original", "from the output", "absolute difference")):
            figure.text(
                *_relative(figure, _left(place) + _PANEL / 2, figure.get_figheight() - 0.16),
                title,
                ha="center",
            )
    told = "; ".join(caption(example) for example in shown)
    alt = f"Samples, what the output of {clean(name)} gives back, and the absolute difference: {told}."
    return Picture(figure, alt, theme)


def caption(example: Example) -> str:
    """A sample in a line: its number, whether the layer gives it back, and the error."""
    error = f"relative error {number(example.relative_error)}"
    return f"sample {example.index:,} · {_FATES[example.singleton]} · {error}"


def _triptych(figure: Figure, example: Example, told: str, bottom: float, tall: float) -> None:
    """Draw one sample: caption, three panels, and the scale of the third; sizes in inches."""
    original, back = _pixels(example.original), _pixels(example.reconstruction)
    difference = np.abs(original - back)
    difference = difference.max(axis=2) if difference.ndim == 3 else difference
    largest = float(difference.max()) or np.finfo(float).tiny
    lowest, extent = float(original.min()), float(np.ptp(original)) or 1.0
    boxes = [(_left(place), bottom, _PANEL, tall) for place in range(3)]
    first, second, third = (
        figure.add_axes((*_relative(figure, *b[:2]), *_relative(figure, *b[2:]))) for b in boxes
    )
    for panel, pixels in ((first, original), (second, back)):
        scaled = np.clip((pixels - lowest) / extent, 0, 1)
        panel.imshow(scaled, cmap="gray", vmin=0, vmax=1, interpolation="none", aspect="auto")
    drawn = third.imshow(
        difference, cmap="cividis", vmin=0, vmax=largest, interpolation="none", aspect="auto"
    )
    for panel in (first, second, third):
        panel.set(xticks=[], yticks=[])
    scale = figure.add_axes((*_relative(figure, _left(3), bottom), *_relative(figure, 0.08, tall)))
    figure.colorbar(drawn, cax=scale, ticks=[0, largest]).ax.set_yticklabels(
        ["0", number(largest)], fontsize=8
    )
    figure.text(*_relative(figure, _left(0), bottom + tall + 0.06), told)


def _left(place: int) -> float:
    """Where a panel of a triptych begins, in inches."""
    return 0.04 + place * (_PANEL + 0.09)


def _relative(figure: Figure, across: float, up: float) -> tuple[float, float]:
    """Inches as shares of the figure's width and height."""
    return across / figure.get_figwidth(), up / figure.get_figheight()


def _pixels(image: np.ndarray) -> np.ndarray:
    """An image as ``(H, W)`` or ``(H, W, 3)``, every k-th pixel of a large one, NaN and infinity as 0."""
    moved = np.moveaxis(image, 0, 2) if image.ndim == 3 else image
    moved = moved[..., 0] if moved.ndim == 3 and moved.shape[2] == 1 else moved
    step = -(-max(moved.shape[:2]) // _MOST_PIXELS)
    return np.nan_to_num(moved[::step, ::step].astype(float), posinf=0.0, neginf=0.0)


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
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=theme.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes
