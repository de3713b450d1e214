"""Slides 19 and 20: the probability that a Gaussian layer is injective, against m / n."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import unrelu
from unrelu._drawing import LIGHT
from unrelu.injectivity.random_matrices import (
    InjectivityEstimate,
    exact_probability,
    injectivity_probability,
    thresholds,
)

from .._pictures import MUTED, drawing, panels, save
from .._training import Tell

_SAMPLES = {2: 200, 3: 200, 4: 200, 5: 200, 6: 200, 8: 100, 10: 30}  # by n
_QUICK_SAMPLES = {2: 5, 3: 5}
_RATIOS = (3, 4, 4.5, 5, 5.5, 6, 6.5, 7, 8)
_ABOVE = 6  # a ratio above the slides' c*
_LARGE = {32: 10, 50: 10, 100: 10, 200: 10}  # at that ratio
_SECONDS, _LARGE_SECONDS = 120.0, 5.0  # for a layer
_MARKS = {
    "mean": "c† = 3.4, paper",
    "slides": "c* = 5.7, paper",
    "full replica symmetry breaking": "6.698, conjectured",
    "replica symmetric": "7.65, proved",
    "Euler characteristic": "8.34, refuted",
}

Estimates = list[InjectivityEstimate]


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Decide random layers one by one, and write ``probability.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the layers.
        quick: Few layers of 2 and 3 columns only.
        tell: Told what is being done.
    """
    curves: dict[int, Estimates] = {}
    for n, samples in (_QUICK_SAMPLES if quick else _SAMPLES).items():
        tell(f"probability of injectivity: n = {n}")
        rows = [round(ratio * n) for ratio in _RATIOS]
        curves[n] = _estimates([(m, n) for m in rows], samples, seed, _SECONDS, n_jobs=1 if quick else -1)
    above = [next(one for one in curve if one.m == _ABOVE * n) for n, curve in curves.items()]
    for n, samples in ({} if quick else _LARGE).items():
        tell(f"probability of injectivity: n = {n}")
        above += _estimates([(_ABOVE * n, n)], samples, seed, _LARGE_SECONDS, n_jobs=1)
    save(_picture(curves, above), folder / "probability.png")
    return _figures(curves, above)


def _estimates(
    sizes: list[tuple[int, int]], samples: int, seed: int, seconds: float, n_jobs: int
) -> Estimates:
    """Estimate ``I(m, n)`` for several sizes, side by side."""

    # A nested function reaches other processes by value: they need not find this module.
    def verdict(layer: unrelu.ReLULayer) -> unrelu.Verdict:
        return decide(layer).verdict

    decide = partial(unrelu.decide, assume_general_position=True, time_limit=seconds, n_jobs=1)
    return list(
        Parallel(n_jobs)(
            delayed(injectivity_probability)(
                m, n, samples, torch.Generator().manual_seed(1000 * seed + m), decide=verdict
            )
            for m, n in sizes
        )
    )


def half(ratios: np.ndarray, shares: np.ndarray) -> float:
    """Return where the shares first reach 1/2, on a straight line between neighbours; 0 if they do not."""
    place = int(np.argmax(shares >= 0.5))
    if shares[place] < 0.5 or place == 0:
        return 0.0
    steps = slice(place - 1, place + 1)
    return float(np.interp(0.5, shares[steps], ratios[steps]))


def _figures(curves: dict[int, Estimates], above: Estimates) -> dict[str, float]:
    found = {}
    for n, curve in curves.items():
        found[f"n = {n}: I = 1/2 at m / n"] = half(_ratios(curve), _shares(curve))
    for one in above:
        for verdict in ("injective", "not_injective", "unknown"):
            words = verdict.replace("_", " ")
            found[f"n = {one.n}: m = 6n, {words}"] = getattr(one, verdict) / one.samples
    exact = np.array([float(exact_probability(one.m, 2)) for one in curves[2]])
    found["n = 2: largest error"] = float(np.abs(_shares(curves[2]) - exact).max())
    return found


def _ratios(curve: Estimates) -> np.ndarray:
    return np.array([one.m / one.n for one in curve])


def _shares(curve: Estimates) -> np.ndarray:
    return np.array([one.injective / one.samples for one in curve])


def _picture(curves: dict[int, Estimates], above: Estimates) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=3.8, width_ratios=(1.7, 1), sharey=True)
        left, right = axes[0]
        _draw_curves(left, curves)
        _draw_marks(left)
        _draw_above(right, above)
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", frameon=False, ncols=8)
    return figure


def _draw_curves(panel: Axes, curves: dict[int, Estimates]) -> None:
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(curves)))
    for (n, curve), shade in zip(curves.items(), shades, strict=True):
        ends = np.array([(one.lower, one.upper) for one in curve])
        panel.fill_between(_ratios(curve), *ends.T, color=shade, alpha=0.12, linewidth=0)
        panel.plot(_ratios(curve), _shares(curve), ".-", color=shade, label=f"n = {n}", linewidth=1.2)
    panel.set(xlabel="m / n", ylabel="I(m, n), share of layers that are injective", ylim=(-0.02, 1.02))
    panel.set_title("Gaussian layers m × n, each decided")


def _draw_marks(panel: Axes) -> None:
    known = {threshold.name: threshold.value for threshold in thresholds()}
    for name, label in _MARKS.items():
        panel.axvline(known[name], color=MUTED, linestyle="--", linewidth=0.8, zorder=1)
        height = 0.55 if known[name] < 4 else 0.03  # where there are no curves
        panel.annotate(
            label, (known[name], height), xycoords=("data", "axes fraction"), xytext=(2, 0),
            textcoords="offset points", rotation=90, va="bottom", fontsize=7, color=MUTED,
        )  # fmt: skip


def _draw_above(panel: Axes, above: Estimates) -> None:
    """Draw shares at one ratio against n; undecided layers widen the intervals."""
    n, shares = np.array([one.n for one in above]), _shares(above)
    ends = np.array([(one.lower, one.upper) for one in above]).T
    gaps = np.abs(ends - shares)
    panel.errorbar(n, shares, gaps, fmt="o", color=LIGHT.ink, markersize=4, capsize=2, linewidth=1)
    panel.set(title=f"m = {_ABOVE}n, above the paper's c*", xlabel="n", xscale="log")
    ticks = [2, 5, 10, 20, 50, 100, 200]
    panel.set_xticks(ticks, [str(tick) for tick in ticks])
    panel.minorticks_off()
