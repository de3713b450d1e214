"""Slides 17 and 18: the lemma on biases; minimal expansivity, m >= 2n, and the layers with m = 2n."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import unrelu
from unrelu._drawing import LIGHT

from .._pictures import COLORS, DASHES, drawing, panels, save
from .._training import Tell
from ._opposite import opposite
from ._pictures import plain_powers

_SIZES, _QUICK_SIZES = (2, 3, 4, 6, 8), (2, 3)
_LAYERS, _QUICK_LAYERS = 10, 1  # for each n
_TURN = 1e-6  # by how much a row is turned, relative to its size
_TURNS = 10.0 ** -np.arange(1, 9)
_TURNED = (2, 8)  # n
_SECONDS = 1.0  # what is decided takes a hundredth
_COLORS = {
    unrelu.Verdict.INJECTIVE: COLORS[0],
    unrelu.Verdict.NOT_INJECTIVE: COLORS[1],
    unrelu.Verdict.UNKNOWN: LIGHT.grid,
}

_decide = partial(unrelu.decide, time_limit=_SECONDS, n_jobs=1)


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Decide random layers of each kind, check every proof, and write ``expansivity.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the layers.
        quick: Few layers, small ones.
        tell: Told what is being done.
    """
    rng = np.random.default_rng(seed)
    sizes = np.repeat(_QUICK_SIZES if quick else _SIZES, _QUICK_LAYERS if quick else _LAYERS)
    found: dict[str, float] = {}
    shares: dict[str, list[float]] = {}
    for name, draw in KINDS.items():
        tell(f"minimal expansivity: {name}")
        layers = [draw(int(n), rng) for n in sizes]
        decisions = [_decide(layer) for layer in layers]
        shares[name] = [_share(decisions, verdict) for verdict in _COLORS]
        found[f"{name}: layers"] = float(len(layers))
        found |= {f"{name}: {verdict}": share for verdict, share in zip(_COLORS, shares[name], strict=True)}
        found[f"{name}: proofs verified"] = _share_verified(decisions)
        if any(layer.bias.any() for layer in layers):
            lemma = [_decide(by_lemma(layer)) for layer in layers]
            found[f"{name}: injective by the paper's lemma"] = _share(lemma, unrelu.Verdict.INJECTIVE)
    tell("minimal expansivity: rows turned")
    moved = {n: np.array([collision_size(n, turn, rng) for turn in _TURNS]) for n in _TURNED}
    save(_picture(shares, moved), folder / "expansivity.png")
    return found


def turned(n: int, turn: float, rng: np.random.Generator) -> unrelu.ReLULayer:
    """Return a layer ``[B; -DB]`` whose last row is turned a little."""
    weight = opposite(n, rng)
    weight[-1] += turn * np.abs(weight[-1]).max() * rng.choice((-1, 1), n)
    return unrelu.ReLULayer(weight)


def biased(n: int, rng: np.random.Generator) -> unrelu.ReLULayer:
    """Return pairs ``(w, b)``, ``(-d w, -d b + e)`` with ``e >= 0``: one or the other is weakly active."""
    weight = opposite(n, rng)
    scales = np.abs(weight[n:]).max(axis=1) / np.abs(weight[:n]).max(axis=1)
    bias = rng.standard_normal(n)
    return unrelu.ReLULayer(weight, np.concatenate([bias, 0.1 - scales * bias]))


def by_lemma(layer: unrelu.ReLULayer) -> unrelu.ReLULayer:
    """Return the layer without bias that the paper's lemma asks about: rows with ``b < 0`` are zero."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    return unrelu.ReLULayer(weight * (bias >= 0)[:, None])


def _gaussian(m: int, n: int, rng: np.random.Generator) -> unrelu.ReLULayer:
    return unrelu.ReLULayer(rng.standard_normal((m, n)))


def _rounded(n: int, rng: np.random.Generator) -> unrelu.ReLULayer:
    basis = rng.standard_normal((n, n))
    return unrelu.ReLULayer(np.vstack([basis, -rng.uniform(0.5, 2, (n, 1)) * basis]))


def _shuffled(n: int, rng: np.random.Generator) -> unrelu.ReLULayer:
    return unrelu.ReLULayer(rng.permutation(opposite(n, rng)))


KINDS: dict[str, Callable[[int, np.random.Generator], unrelu.ReLULayer]] = {
    "m = 2n - 1, Gaussian": lambda n, rng: _gaussian(2 * n - 1, n, rng),
    "m = 2n, Gaussian": lambda n, rng: _gaussian(2 * n, n, rng),
    "[B; -DB]": _shuffled,
    "[B; -DB], a row turned": lambda n, rng: turned(n, _TURN, rng),
    "[B; -DB], products rounded": _rounded,
    "pairs with biases": biased,
}


def collision_size(n: int, turn: float, rng: np.random.Generator) -> float:
    """Return how far two inputs with the same output are apart, relative to one; NaN if there is no pair."""
    collision = _decide(turned(n, turn, rng)).collision
    return collision.distance / float(np.linalg.norm(collision.original)) if collision else np.nan


def _share(decisions: list[unrelu.Decision], verdict: unrelu.Verdict) -> float:
    return float(np.mean([decision.verdict == verdict for decision in decisions]))


def _share_verified(decisions: list[unrelu.Decision]) -> float:
    """Return for which share there is an exact proof that the verifier accepts."""
    checks = [unrelu.verify(one.certificate) for one in decisions if one.certificate is not None]
    return sum(check.valid and check.grade == "exact" for check in checks) / len(decisions)


def _picture(shares: dict[str, list[float]], moved: dict[int, np.ndarray]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=3.4, width_ratios=(1.1, 1))
        left, right = axes[0]
        _draw_shares(left, shares)
        for (n, sizes), color, dashes in zip(moved.items(), COLORS, DASHES, strict=False):
            right.loglog(_TURNS, sizes, dashes, color=color, marker=".", label=f"n = {n}")
        right.set(title="[B; -DB], a row turned", xlabel="by how much, relative to the row")
        right.set_ylabel("|x - x'| / |x| of a pair with the same output")
        right.legend(frameon=False)
        plain_powers(right)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", frameon=False, ncols=3)
    return figure


def _draw_shares(panel: Axes, shares: dict[str, list[float]]) -> None:
    places, ends = np.arange(len(shares)), np.zeros(len(shares))
    for (verdict, color), values in zip(_COLORS.items(), np.array([*shares.values()]).T, strict=True):
        panel.barh(places, values, left=ends, color=color, label=str(verdict))
        ends += values
    panel.set(title="random layers", xlim=(0, 1), xlabel="share of layers", yticks=places)
    panel.set_yticklabels(list(shares))
    panel.invert_yaxis()
    panel.grid(visible=False)
