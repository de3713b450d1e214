"""Not in the paper: 100 digits drawn towards other classes, and what another network sees in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._pictures import COLORS, MUTED, drawing, panels, save
from .._training import Tell
from ._collisions import OBJECTIVES, Collider, Pair
from ._training import Trained, deep_network, wide_network

_DIGITS, _QUICK_DIGITS = 100, 2
_LABELS = {"linear": "paper's: largest ⟨c, x⟩", "euclidean": "ours: nearest to c"}
_COLORS = dict(zip(OBJECTIVES, COLORS[1::-1], strict=True))
SEEN = ("original's", "target's", "another")  # class


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Collide 100 test digits; return what is proved and how near they come, and write ``collisions.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the training.
        quick: Few data, one epoch, two digits.
        tell: Told what is being done.
    """
    deep, wide = (train(seed=seed, quick=quick, tell=tell) for train in (deep_network, wide_network))
    digits = deep.split.spread(_QUICK_DIGITS if quick else _DIGITS).tolist()
    targets = [_next_of_another_class(deep.split.y_test, digit) for digit in digits]
    collider = Collider(deep)
    found: dict[str, list[Pair]] = {}
    for objective in OBJECTIVES:
        tell(f"collisions: {len(digits)} digits, {objective}")
        found[objective] = [
            collider.pair(digit, target, objective) for digit, target in zip(digits, targets, strict=True)
        ]
    seen = {objective: _seen(wide, pairs) for objective, pairs in found.items()}
    save(_picture(found, seen), folder / "collisions.png")
    start = float(np.median([pair.start for pair in found[OBJECTIVES[0]]]))
    return {
        "original: median distance to target": start,
        **{
            f"{objective}: {name}": value
            for objective in OBJECTIVES
            for name, value in _figures(found[objective], seen[objective]).items()
        },
    }


def _next_of_another_class(classes: torch.Tensor, digit: int) -> int:
    others = (classes.roll(-digit) != classes[digit]).nonzero()
    return (digit + int(others[0])) % len(classes)


def _seen(network: Trained, pairs: list[Pair]) -> np.ndarray:
    """Return what another network sees in every input, as a place in `SEEN`."""
    classes = network.split.y_test
    with torch.no_grad():
        told = network.model(torch.stack([pair.x for pair in pairs]).float()).argmax(dim=1)
    original, target = (
        told == classes[numbers] for numbers in ([p.digit for p in pairs], [p.target for p in pairs])
    )
    return torch.where(original, 0, torch.where(target, 1, 2)).numpy()


def _figures(pairs: list[Pair], seen: np.ndarray) -> dict[str, float]:
    return {
        "proved": float(sum(pair.proved for pair in pairs)),
        "largest radius": max(pair.radius for pair in pairs),
        "largest difference of outputs": max(pair.difference for pair in pairs),
        "median distance to target": float(np.median([pair.end for pair in pairs])),
        **{f"seen as {name}": float((seen == k).sum()) for k, name in enumerate(SEEN)},
    }


def _picture(found: dict[str, list[Pair]], seen: dict[str, np.ndarray]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=3.1)
        left, right = axes[0]
        _draw_distances(left, found)
        for place, (objective, places) in enumerate(seen.items()):
            counts = np.bincount(places, minlength=len(SEEN))
            x = np.arange(len(SEEN)) + 0.4 * (place - 0.5)
            right.bar(x, counts, width=0.36, color=_COLORS[objective], alpha=0.6)
        right.set_xticks(range(len(SEEN)), SEEN)
        right.set(title="what another network sees in the other input", ylabel="inputs", xlabel="class")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", frameon=False, ncols=3)
    return figure


def _draw_distances(panel: Axes, found: dict[str, list[Pair]]) -> None:
    distances = {"original": (MUTED, [pair.start for pair in next(iter(found.values()))])}
    for objective, pairs in found.items():
        distances[_LABELS[objective]] = _COLORS[objective], [pair.end for pair in pairs]
    bins = np.arange(0, 1 + max(max(values) for _, values in distances.values()), 0.5)
    for label, (color, values) in distances.items():
        panel.hist(values, bins=bins, color=color, alpha=0.6, label=label)
    panel.set(title="how near to the target", xlabel="Euclidean distance to the target", ylabel="inputs")
    panel.yaxis.get_major_locator().set_params(integer=True)
