"""Figure 5: output units, rank and condition number over the layers of the two CNNs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from unrelu._drawing import plain_powers
from unrelu.stability import LayerSpectrum

from .._pictures import COLORS, drawing, panels, save, whole_numbers
from .._training import Tell
from ._cifar import THIN, WIDE
from ._spectra import cifar_spectra

_RECIPES = {"WideCIFAR": WIDE, "ThinCIFAR": THIN}
_CONVOLUTIONS = 6

Layers = dict[str, tuple[LayerSpectrum, ...]]


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw the three rows of panels; return ranks and condition numbers behind the ReLU of every layer.

    Args:
        folder: Where ``figure5.png`` goes.
        seed: Of the training.
        quick: Few data, one epoch, a window of two images.
        tell: Told what is being done.
    """
    layers: Layers = {
        name: cifar_spectra(replace(recipe, seed=seed), quick=quick, tell=tell).layers[:_CONVOLUTIONS]
        for name, recipe in _RECIPES.items()
    }
    save(_picture(layers), folder / "figure5.png")
    return {
        f"{name}, layer {k}: {what}": value
        for name, own in layers.items()
        for k, layer in enumerate(own, start=1)
        for what, value in (
            ("units", float(layer.m)),
            ("values before ReLU", layer.up_to.median_rank),
            ("values behind", layer.through.median_rank),
            ("condition before ReLU", layer.up_to.median_condition),
            ("condition behind", layer.through.median_condition),
        )
    }


def _picture(layers: Layers) -> Figure:
    with drawing():
        figure, axes = panels(3, 1, width=7.2, height=7.2, sharex=True)
        for (name, own), color in zip(layers.items(), COLORS, strict=False):
            parts = [part for layer in own for part in (layer.up_to, layer.through)]
            steps = range(1, len(parts) + 1)
            rows = (
                [layer.m for layer in own for _ in range(2)],
                [part.median_rank for part in parts],
                [part.median_condition for part in parts],
            )
            for panel, values in zip(axes[:, 0], rows, strict=True):
                panel.plot(steps, values, marker="o", markersize=4, color=color, label=name)
        labels = ("output units", "singular values\nthat are not 0", "condition number")
        for panel, label in zip(axes[:, 0], labels, strict=True):
            panel.set_ylabel(label)
        for panel, base in ((axes[0, 0], 2), (axes[2, 0], 10)):
            panel.set_yscale("log", base=base)
            plain_powers(panel.yaxis)
        axes[2, 0].set_xlabel("convolutions (odd) and their ReLU (even)")
        whole_numbers(axes[2, 0])
        axes[0, 0].legend(frameon=False)
    return figure
