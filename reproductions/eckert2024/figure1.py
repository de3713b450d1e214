"""Figure 1: samples of the ball against randomised smoothing of Iris, in three coordinates."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from unrelu.domains import Ball, Smoothed

from .._data import iris
from .._pictures import drawing, save
from .._training import Tell

NOISE = 0.2  # deviation of the noise, features having deviation 1; the paper does not state its own
_NEAR = 3 * NOISE  # within which a sample is near the data
_DATA, _SAMPLE = "#8b0000", "#9aa0a6"  # dark red and light grey, as in the paper
# In deviations from the mean.
_FEATURES = ("sepal length", "sepal width", "petal length")


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Draw both kinds of samples; return how many lie near a flower and write ``figure1.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the samples.
        quick: Fewer samples.
        tell: Told what is being done.
    """
    tell("figure 1: sampling")
    split = iris(features=3)
    flowers = torch.cat([split.x, split.x_test])
    count = 100 if quick else 1000
    generator = torch.Generator().manual_seed(seed)
    radius = float(torch.linalg.vector_norm(flowers, dim=1).max())
    ball = Ball(torch.zeros(3), radius).sample(count, 3, generator, dtype=torch.float32, device="cpu")
    smoothed = Smoothed(flowers, NOISE).sample(count, generator, dtype=torch.float32, device="cpu")
    save(
        _picture(flowers, {"uniform on the ball": ball, "randomised smoothing": smoothed}),
        folder / "figure1.png",
    )
    return {
        "ball: samples near a flower": _near(ball, flowers),
        "smoothing: samples near a flower": _near(smoothed, flowers),
    }


def _near(samples: torch.Tensor, flowers: torch.Tensor) -> float:
    """Share of samples within three deviations of the noise of a flower."""
    return float((torch.cdist(samples, flowers).amin(dim=1) <= _NEAR).double().mean())


def _picture(flowers: torch.Tensor, kinds: dict[str, torch.Tensor]) -> Figure:
    with drawing():
        figure = Figure(figsize=(7.2, 3.9))
        for place, (title, samples) in enumerate(kinds.items()):
            axes = figure.add_axes((0.01 + 0.49 * place, 0.09, 0.44, 0.85), projection="3d")
            _scatter(axes, flowers, samples)
            axes.set_title(title, y=0.98)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", frameon=False, ncols=2, markerscale=1.5)
    return figure


def _scatter(axes: Axes3D, flowers: torch.Tensor, samples: torch.Tensor) -> None:
    axes.scatter(*samples.T, s=5, color=_SAMPLE, alpha=0.6, label="sample", linewidths=0)
    axes.scatter(*flowers.T, s=7, color=_DATA, label="flower", depthshade=False, linewidths=0)
    for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), _FEATURES, strict=True):
        axis.set_label_text(name)
        axis.labelpad = 0
        axis.set_pane_color("#ffffff")
        axis.set_ticks(range(-3, 4, 3))
    axes.tick_params(pad=0, labelsize=8)
    axes.grid(visible=True)
    axes.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), zlim=(-3.2, 3.2))
    axes.set_box_aspect((1, 1, 1), zoom=0.88)
