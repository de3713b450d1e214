"""Singular values of the paper's networks, median over test samples, and how they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import nn

from unrelu import spectrum, trace
from unrelu._drawing import plain_powers
from unrelu.stability import LayerSpectrum, SpectrumResult

from .._pictures import COLORS, drawing, panels, save
from .._training import Tell
from ._cifar import CifarRecipe, cifar_network
from ._training import wide_network

SAMPLES = 20
_QUICK_SAMPLES, _QUICK_WINDOW = 2, 6
_FLOOR = 1e-8  # lowest value drawn

_done: dict[tuple[CifarRecipe, bool], SpectrumResult] = {}


def cifar_spectra(recipe: CifarRecipe, *, quick: bool = False, tell: Tell = lambda _: None) -> SpectrumResult:
    """Return the spectra of a convolutional network at its first test images, computed once a process.

    Args:
        recipe: How it is trained.
        quick: Few data, one epoch, two images, a window of the input.
        tell: Told what is being done.
    """
    tell(f"{recipe.name} network: singular values")
    if (recipe, quick) not in _done:
        trained = cifar_network(recipe, quick=quick, tell=tell)
        _done[recipe, quick] = _spectra(trained.model, trained.x, _QUICK_WINDOW if quick else None, quick)
    return _done[recipe, quick]


def cifar_decay(recipe: CifarRecipe, path: Path, *, quick: bool, tell: Tell) -> dict[str, float]:
    """Draw and return the decay over a network's convolutions, and what the ReLU does in layers 2 and 5."""
    return decay(cifar_spectra(recipe, quick=quick, tell=tell).layers[:6], (2, 5), path)


def mlp_spectra(*, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> SpectrumResult:
    """Return the spectra of the network of Figure 4, 784 → 3500 → 784 → 10, at its first test digits."""
    trained = wide_network(seed=seed, quick=quick, tell=tell)
    tell("MLP: singular values")
    return _spectra(trained.model, trained.split.x_test, None, quick)


def _spectra(model: nn.Module, x: torch.Tensor, window: int | None, quick: bool) -> SpectrumResult:
    samples = x[: _QUICK_SAMPLES if quick else SAMPLES]
    return spectrum(trace(model, samples[:1]), samples, window=window, method="dense")


def decay(layers: tuple[LayerSpectrum, ...], effects: tuple[int, ...], path: Path) -> dict[str, float]:
    """Draw singular values behind all layers, and of some before and behind their ReLU; return both ends.

    Args:
        layers: The layers.
        effects: Numbers, from 1, of those whose ReLU is drawn.
        path: Where the picture goes.
    """
    with drawing():
        figure, axes = panels(1, 1 + len(effects), width=2.6 + 2.4 * len(effects), height=3.4, sharey=True)
        for k, layer in enumerate(layers):
            _curve(axes[0, 0], layer.through.median, f"layer {k + 1}", color=COLORS[k % len(COLORS)])
        for panel, k in zip(axes[0, 1:], effects, strict=True):
            _curve(panel, layers[k - 1].up_to.median, "before ReLU", color=COLORS[0])
            _curve(panel, layers[k - 1].through.median, "behind ReLU", color=COLORS[1], linestyle="--")
            panel.set_title(f"layer {k}")
        axes[0, 0].set(title="all layers, behind ReLU", ylabel="singular value, median over samples")
        for panel in axes[0]:
            panel.set_yscale("log")
            plain_powers(panel.yaxis)
        for panel in axes[0, 1:]:
            panel.legend(frameon=False)
        names = axes[0, 0].get_legend_handles_labels()
        figure.legend(*names, loc="outside upper left", ncols=len(layers), frameon=False)
        figure.supxlabel("number of the singular value", fontsize="medium")
    save(figure, path)
    return {
        f"layer {k}: {what}": value
        for k, layer in enumerate(layers, start=1)
        for what, value in _ends(layer).items()
    }


def _ends(layer: LayerSpectrum) -> dict[str, float]:
    before, behind = layer.up_to.median_ends, layer.through.median_ends
    return {
        "largest before ReLU": before[0],
        "largest behind": behind[0],
        "smallest not 0 before ReLU": before[1],
        "smallest not 0 behind": behind[1],
    }


def _curve(panel: Axes, values: np.ndarray, label: str, **style: str) -> None:
    shown = values > _FLOOR * values.max(initial=0)
    panel.plot(1 + np.flatnonzero(shown), values[shown], label=label, linewidth=1.3, **style)
