"""Train both generators, measure them, and write figures and picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from reproductions._data import Split, mnist
from reproductions._pictures import save
from unrelu.output import write_text

from ._measures import Restored, chosen_prior, restore, round_trip, verdict
from ._models import KINDS, Autoencoder
from ._picture import picture
from ._tasks import psnr, tasks
from ._training import train

EPOCHS, SEEDS = 12, 2
_DIGITS, _QUICK_DIGITS = 200, 12  # test digits that are restored
_TUNED = 50  # training digits on which the prior is chosen
_CODES = 1000
_STEPS, _QUICK_STEPS = 30, 3
_SHOWN = 12

Tell = Callable[[str], None]


def run(folder: Path, *, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, dict[str, float]]:
    """Write ``generator.png`` and ``results.json``, and return the figures: means over seeds, by kind.

    Args:
        folder: Where they go; files of these names are replaced.
        quick: Few digits, one epoch, one seed.
        tell: Told what is being done.
    """
    split = mnist(quick)
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    shown: dict[str, dict[str, Restored]] = {}
    for seed in range(1 if quick else SEEDS):
        for kind in KINDS:
            model = train(kind, split.x, 1 if quick else EPOCHS, seed, tell)
            figures, restored = _measured(model, split, seed, quick, tell)
            runs[kind].append(figures)
            shown.setdefault(kind, restored)
    save(_picture(split, shown), folder / "generator.png")
    results = {kind: {name: fmean(one[name] for one in of) for name in of[0]} for kind, of in runs.items()}
    write_text(
        folder / "results.json", json.dumps({"means": results, "runs": runs}, indent=2) + "\n", force=True
    )
    return results


def _measured(
    model: Autoencoder, split: Split, seed: int, quick: bool, tell: Tell
) -> tuple[dict[str, float], dict[str, Restored]]:
    """Measure one generator; also return what it restored, by task."""
    digits, steps = (_QUICK_DIGITS, _QUICK_STEPS) if quick else (_DIGITS, _STEPS)
    truth, tuned = split.x_test[:digits].double(), split.x[: min(digits, _TUNED)].double()
    tell(f"{model.kind} generator, seed {seed}: codes there and back")
    with torch.no_grad():
        test = split.x_test.double()
        encoded = psnr(model.generator(model.encode(test)), test)
    figures: dict[str, Any] = {
        "training: seconds": model.seconds,
        "by the encoder: PSNR": float(encoded.mean()),
        "proved: injective": float(verdict(model).verdict == "injective"),
        **round_trip(model, _QUICK_DIGITS if quick else _CODES, seed, steps),
    }
    restored = {}
    for task in tasks(seed):
        tell(f"{model.kind} generator, seed {seed}: {task.name}")
        prior = chosen_prior(model, task, tuned, seed + 1, steps)
        restored[task.name] = restore(model, task, truth, prior, seed, steps)
        figures |= {f"{task.name}: {name}": value for name, value in restored[task.name].figures.items()}
        figures[f"{task.name}: prior"] = prior
    return figures, restored


def _picture(split: Split, shown: dict[str, dict[str, Restored]]) -> Any:
    blocks = {}
    for task in next(iter(shown.values())):
        blocks[task] = {"truth": split.x_test}
        if task != "reconstruction":
            blocks[task]["given"] = next(iter(shown.values()))[task].given
        blocks[task] |= {kind: of[task].images for kind, of in shown.items()}
    return picture(blocks, _SHOWN)
