"""Slides 18 and 19: minimal expansivity, m >= 2n, and the layers with m = 2n; the lemma on biases, slide 17."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import unrelu

from ..eckert2024._pictures import COLORS, DASHES, drawing, panels, save
from ..eckert2024._training import Tell

_SIZES, _QUICK_SIZES = (2, 3, 4, 6, 8), (2, 3)
_LAYERS, _QUICK_LAYERS = 20, 2  # for each n
_TURN = 1e-6  # by how much a row is turned, relative to its size
_TURNS, _QUICK_TURNS = 10.0 ** -np.arange(1, 15), 10.0 ** -np.arange(1, 15, 6)
_TURNED = (2, 8)  # n
_COLORS = {unrelu.Verdict.INJECTIVE: COLORS[0], unrelu.Verdict.NOT_INJECTIVE: COLORS[1]}


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
    shares = {}
    for name, draw in KINDS.items():
        tell(f"minimal expansivity: {name}")
        layers = [draw(int(n), rng) for n in sizes]
        decisions = [unrelu.decide(layer, n_jobs=1) for layer in layers]
        shares[name] = share = _share_injective(decisions)
        found[f"{name}: layers"] = float(len(layers))
        found[f"{name}: injective"] = share
        found[f"{name}: proofs verified"] = _share_verified(decisions)
        if any(layer.bias.any() for layer in layers):
            lemma = [unrelu.decide(by_lemma(layer), n_jobs=1) for layer in layers]
            found[f"{name}: injective by the paper's lemma"] = _share_injective(lemma)
    tell("minimal expansivity: rows turned")
    turns = _QUICK_TURNS if quick else _TURNS
    moved = {n: np.array([collision_size(n, turn, rng) for turn in turns]) for n in _TURNED}
    found["smallest turn: relative"] = float(turns.min())
    found["smallest turn: injective"] = float(np.mean([sizes[-1] == 0 for sizes in moved.values()]))
    save(_picture(shares, turns, moved), folder / "expansivity.png")
    return found


def opposite(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``[B; -DB]``, whose products are exact: factors of 24 bits, as float32 has them."""
    basis = rng.standard_normal((n, n)).astype(np.float32).astype(np.float64)
    scales = rng.uniform(0.5, 2, (n, 1)).astype(np.float32).astype(np.float64)
    return np.vstack([basis, -scales * basis])


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
    """Return how far two inputs with the same output are apart, relative to the size of one; 0 if none are."""
    collision = unrelu.decide(turned(n, turn, rng), n_jobs=1).collision
    return collision.distance / float(np.linalg.norm(collision.original)) if collision else 0.0


def _share_injective(decisions: Iterable[unrelu.Decision]) -> float:
    return float(np.mean([decision.verdict == unrelu.Verdict.INJECTIVE for decision in decisions]))


def _share_verified(decisions: Iterable[unrelu.Decision]) -> float:
    """Return for which share there is an exact proof that the verifier accepts."""
    proofs = [decision.certificate for decision in decisions]
    checks = [unrelu.verify(proof) for proof in proofs if proof is not None]
    return sum(check.valid and check.grade == "exact" for check in checks) / len(proofs)


def _picture(shares: dict[str, float], turns: np.ndarray, moved: dict[int, np.ndarray]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=3.2, width_ratios=(1, 1.2))
        left, right = axes[0]
        _draw_shares(left, shares)
        for (n, sizes), color, dashes in zip(moved.items(), COLORS, DASHES, strict=False):
            right.loglog(turns, sizes, dashes, color=color, marker=".", label=f"n = {n}")
        right.set(title="[B; -DB], a row turned", xlabel="by how much, relative to the row")
        right.set_ylabel("|x - x'| / |x| of a pair\nwith the same output")
        right.legend(frameon=False)
    return figure


def _draw_shares(panel: Axes, shares: dict[str, float]) -> None:
    places, values = np.arange(len(shares)), np.array([*shares.values()])
    injective, refuted = _COLORS.values()
    panel.barh(places, values, color=injective, label="injective")
    panel.barh(places, 1 - values, left=values, color=refuted, label="not injective")
    panel.set(xlim=(0, 1), xlabel="share of layers", yticks=places)
    panel.set_yticklabels(list(shares))
    panel.invert_yaxis()
    panel.grid(visible=False)
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
