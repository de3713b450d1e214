"""Samples beside what a layer makes of them, drawn as rows of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.figure import Figure

from unrelu._drawing import LIGHT, Theme, drawing
from unrelu.audit._pictures import WIDTH, Picture
from unrelu.audit._words import clean, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unrelu.audit._figures import CollisionExample, Example

_Row: TypeAlias = "tuple[np.ndarray, np.ndarray, np.ndarray | None]"
_PANEL = 1.26  # inches: width of one image of a triptych
_FATES = {1: "given back", 0: "lost", -1: "undecided"}
_MOST_PIXELS = 256  # a side; more cannot be told apart in the report and would only make it heavy


def drawable(image: np.ndarray) -> bool:
    """Whether a sample is an image: ``(H, W)``, or ``(C, H, W)`` with one channel or three."""
    shape = image.shape
    return min(shape, default=0) > 0 and (len(shape) == 2 or (len(shape) == 3 and shape[0] in {1, 3}))


def reconstructions(name: str, shown: Sequence[Example], theme: Theme = LIGHT) -> Picture:
    """Drawable samples, what the output of the layer ``name`` gives back of them, and the difference."""
    captions = [caption(example) for example in shown]
    panels = [(example.original, example.reconstruction, None) for example in shown]
    figure = _sheet(("original", "from the output", "absolute difference"), captions, panels, theme)
    told = "; ".join(captions)
    alt = f"Samples, what the output of {clean(name)} gives back, and the absolute difference: {told}."
    return Picture(figure, alt, theme)


def collisions(name: str, shown: Sequence[CollisionExample], theme: Theme = LIGHT) -> Picture:
    """Drawable samples, other inputs with the same output of the layer ``name``, and what these resemble."""
    captions = [collision_caption(example) for example in shown]
    panels = [(example.original, example.other, example.target) for example in shown]
    third = "absolute difference" if shown[0].target is None else "target"
    figure = _sheet(("original", "same output", third), captions, panels, theme)
    told = "; ".join(captions)
    alt = f"Samples, other inputs with the same output of {clean(name)}, and their targets: {told}."
    return Picture(figure, alt, theme)


def _sheet(
    titles: tuple[str, str, str], captions: Sequence[str], rows: Sequence[_Row], theme: Theme
) -> Figure:
    """Draw a row of three panels a sample, a caption above each."""
    height, width = rows[0][0].shape[-2:]
    tall = _PANEL * min(max(height / width, 0.3), 2.0)
    pitch = tall + 0.32
    with drawing(theme):
        figure = Figure(figsize=(WIDTH, pitch * len(rows) + 0.2))
        for place, (told, row) in enumerate(zip(captions, rows, strict=True)):
            _triptych(figure, row, told, bottom=pitch * (len(rows) - 1 - place) + 0.05, tall=tall)
        for place, title in enumerate(titles):
            figure.text(
                *_relative(figure, _left(place) + _PANEL / 2, figure.get_figheight() - 0.16),
                title,
                ha="center",
            )
    return figure


def caption(example: Example) -> str:
    """A sample in a line: its number, whether the layer gives it back, and the error."""
    error = f"relative error {number(example.relative_error)}"
    return f"sample {example.index:,} · {_FATES[example.singleton]} · {error}"


def collision_caption(example: CollisionExample) -> str:
    """A collision in a line: distances of the new input to sample and target, difference of the outputs."""
    words = [f"sample {example.index:,}", f"distance {number(example.distance)}"]
    if example.target_index is not None:
        words.append(f"{number(example.target_distance)} to sample {example.target_index:,}")
    return " · ".join([*words, f"outputs differ by {example.output_difference:.0e}"])


def _triptych(figure: Figure, row: _Row, told: str, bottom: float, tall: float) -> None:
    """Draw one sample: caption and three panels, the difference where the third is missing; in inches."""
    pixels = [_pixels(image) for image in row if image is not None]
    boxes = [(_left(place), bottom, _PANEL, tall) for place in range(3)]
    panels = [figure.add_axes((*_relative(figure, *b[:2]), *_relative(figure, *b[2:]))) for b in boxes]
    lowest, extent = float(pixels[0].min()), float(np.ptp(pixels[0])) or 1.0
    for panel, image in zip(panels, pixels, strict=False):
        scaled = np.clip((image - lowest) / extent, 0, 1)
        panel.imshow(scaled, cmap="gray", vmin=0, vmax=1, interpolation="none", aspect="auto")
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    if len(pixels) < len(panels):
        _difference(figure, panels[-1], pixels[0] - pixels[1], bottom, tall)
    figure.text(*_relative(figure, _left(0), bottom + tall + 0.06), told)


def _difference(figure: Figure, panel: Axes, signed: np.ndarray, bottom: float, tall: float) -> None:
    """Draw the absolute difference of two images, with its scale."""
    difference = np.abs(signed)
    difference = difference.max(axis=2) if difference.ndim == 3 else difference
    largest = float(difference.max()) or np.finfo(float).tiny
    drawn = panel.imshow(
        difference, cmap="cividis", vmin=0, vmax=largest, interpolation="none", aspect="auto"
    )
    scale = figure.add_axes((*_relative(figure, _left(3), bottom), *_relative(figure, 0.08, tall)))
    figure.colorbar(drawn, cax=scale, ticks=[0, largest]).ax.set_yticklabels(
        ["0", number(largest)], fontsize=8
    )


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
