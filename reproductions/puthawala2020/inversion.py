"""Slide 28: inputs from noisy outputs of an injective layer of the plane, by least squares; bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import unrelu
from unrelu._drawing import LIGHT
from unrelu.injectivity.random_matrices import Wedges

from .._pictures import COLORS, drawing, panels, save
from .._training import Tell
from ._pictures import plain_powers
from ._plane import directions, injective_layers, sigma_star, smallest_ratio

_ROWS = 8
_INPUTS, _QUICK_INPUTS = 500, 20
_LEVELS, _QUICK_LEVELS = 10.0 ** np.arange(-6, 0.6, 0.5), 10.0 ** np.arange(-6.0, 1, 3)
_TOLERANCE = 1e-12  # how far outside of a constraint the border of a wedge may lie by rounding
_METHODS = ("y > 0", "y > 0, constrained", "nearest output")
_STYLES = ((COLORS[1], "o"), (COLORS[0], "x"), (COLORS[2], "."))
_NOISE = {"on positive outputs": True, "on all outputs": False}


@dataclass(frozen=True, eq=False)
class Plane:
    """A layer of the plane with what its wedges say of it.

    Attributes:
        weight: Its rows, shape ``(m, 2)``.
        cut: The wedges.
        rays: Unit vectors along the two sides of each, columns of shape ``(wedges, 2, 2)``.
        star: ``σ*``.
        kappa: The smallest ratio of distances found, no more than ``σ*``.
    """

    weight: np.ndarray
    cut: Wedges
    rays: np.ndarray
    star: float
    kappa: float

    @classmethod
    def of(cls, weight: np.ndarray, cut: Wedges) -> Plane:
        """Collect them."""
        star = sigma_star(weight, cut)
        rays = np.stack([directions(cut.start), directions(cut.end)], axis=-1)
        return cls(weight, cut, rays, star, min(star, smallest_ratio(weight, cut, 360)[0]))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Return outputs."""
        return np.maximum(x @ self.weight.T, 0)


def run(folder: Path, *, seed: int = 0, quick: bool = False, tell: Tell = lambda _: None) -> dict[str, float]:
    """Invert outputs with noise of several sizes in three ways, and write ``inversion.png``.

    Args:
        folder: Where the picture goes.
        seed: Of the layer, inputs and noise.
        quick: Few inputs and sizes.
        tell: Told what is being done.
    """
    rng = np.random.default_rng(seed)
    ((weight, cut),) = injective_layers(_ROWS, 1, rng)
    plane = Plane.of(weight, cut)
    levels = _QUICK_LEVELS if quick else _LEVELS
    count = _QUICK_INPUTS if quick else _INPUTS
    x = directions(rng.uniform(0, 2 * np.pi, count))
    errors = {}
    for noise, positive in _NOISE.items():
        tell(f"inversion: noise {noise}")
        noisy = [with_noise(plane.apply(x), level, rng, positive) for level in levels]
        errors[noise] = np.array([_errors(plane, x, y) for y in noisy])
    save(_picture(plane, levels, errors), folder / "inversion.png")
    found = {"layer: σ*": plane.star, "layer: smallest ratio / σ*": plane.kappa / plane.star}
    for noise, values in errors.items():
        for k, method in enumerate(_METHODS):
            row = f"noise {noise}, {method}"
            sizes = values[:, k] / levels[:, None]
            found[f"{row}: largest error / noise"] = float(sizes.max())
            found[f"{row}: median error at the least noise"] = float(np.median(values[0, k]))
            found[f"{row}: above 4 noise / σ*"] = float((sizes > 4 / plane.star).mean())
    return found


def with_noise(y: np.ndarray, size: float, rng: np.random.Generator, positive: bool) -> np.ndarray:
    """Add noise of a given norm to outputs, then set negative entries to 0, which brings them no farther."""
    noise = rng.standard_normal(y.shape) * (y > 0 if positive else 1)
    noise *= size / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.maximum(y + noise, 0)


def _errors(plane: Plane, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the error of each method for each output, shape ``(methods, outputs)``."""
    layer = unrelu.ReLULayer(plane.weight)
    found = unrelu.invert(layer, y, n_jobs=1).x, constrained(plane, y), nearest(plane, y)
    return np.array([np.linalg.norm(one - x, axis=1) for one in found])


def constrained(plane: Plane, y: np.ndarray) -> np.ndarray:
    """Return the paper's ``argmin |W_P x - y_P|`` with ``W_N x <= 0``; ``P``: ``y > 0``, ``N``: the rest.

    The constraints' cone is a union of wedges: the best point of each is found. 0 lies in it always.
    """
    positive = y > 0
    rays = plane.weight @ plane.rays
    crossed = np.einsum("pm,wmr->pwr", ~positive, rays > _TOLERANCE) > 0
    return _best(plane, [(plane.weight, positive)] * len(plane.rays), y, ~crossed)


def nearest(plane: Plane, y: np.ndarray) -> np.ndarray:
    """Return the input whose output is nearest: the best point of each wedge, where it is linear."""
    systems = [(plane.weight * active[:, None], np.ones_like(y, dtype=bool)) for active in plane.cut.active]
    return _best(plane, systems, y, np.ones((len(y), len(systems), 2), dtype=bool))


def _best(
    plane: Plane, systems: list[tuple[np.ndarray, np.ndarray]], y: np.ndarray, allowed: np.ndarray
) -> np.ndarray:
    """Return for each output the best of the wedges' points, 0 where none is better.

    Args:
        plane: The layer.
        systems: For each wedge the rows, and which of them count for which output.
        y: Outputs.
        allowed: Which sides of the wedges may be used, shape ``(outputs, wedges, 2)``; points between
            two only if both may.
    """
    best, point = np.zeros(len(y)), np.zeros((len(y), 2))
    for k, (rows, counted) in enumerate(systems):
        columns = rows @ plane.rays[k]
        gram = np.einsum("pm,mi,mj->pij", counted, columns, columns)
        target = (counted * y) @ columns
        for weights in _candidates(gram, target, allowed[:, k]):
            value = np.einsum("pi,pij,pj->p", weights, gram, weights) - 2 * (weights * target).sum(axis=1)
            better = value < best
            best[better] = value[better]
            point[better] = weights[better] @ plane.rays[k].T
    return point


def _candidates(gram: np.ndarray, target: np.ndarray, allowed: np.ndarray) -> list[np.ndarray]:
    """Return weights of the two sides of a wedge at which a quadratic may be least: on one, or between."""
    a, b, c = gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]
    first, second = target.T
    determinant = a * c - b * b
    zero = np.zeros_like(a)

    def fraction(above: np.ndarray, below: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return np.divide(above, below, out=zero.copy(), where=valid & (below > 0))

    both = np.asarray(allowed.all(axis=1))
    between = np.stack(
        [
            fraction(c * first - b * second, determinant, both),
            fraction(a * second - b * first, determinant, both),
        ],
        axis=1,
    )
    between[(between < 0).any(axis=1)] = 0
    one = np.maximum(fraction(first, a, allowed[:, 0]), 0)
    other = np.maximum(fraction(second, c, allowed[:, 1]), 0)
    return [between, np.stack([one, zero], axis=1), np.stack([zero, other], axis=1)]


def _picture(plane: Plane, levels: np.ndarray, errors: dict[str, np.ndarray]) -> Figure:
    with drawing():
        figure, axes = panels(1, 2, width=7.2, height=3.8, sharey=True)
        for panel, (noise, values) in zip(axes[0], errors.items(), strict=True):
            for k, (method, (color, marker)) in enumerate(zip(_METHODS, _STYLES, strict=True)):
                panel.loglog(levels, values[:, k].max(axis=1), "-", color=color, marker=marker, label=method)
            _draw_bounds(panel, plane, levels)
            panel.set(title=f"noise {noise}", xlabel="norm of the noise")
            plain_powers(panel)
        axes[0, 0].set_ylabel("largest error of 500 inputs, |x| = 1")
        figure.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="outside upper left", frameon=False, ncols=3
        )
    return figure


def _draw_bounds(panel: Axes, plane: Plane, levels: np.ndarray) -> None:
    paper = 2 * np.sqrt(2 * len(plane.weight)) / plane.star
    style = {"color": LIGHT.muted, "linewidth": 1}
    panel.loglog(levels, paper * levels, ":", **style, label="2 √(2m) noise / σ*, from the paper")
    panel.loglog(levels, 4 / plane.star * levels, "--", **style, label="4 noise / σ*")
    panel.loglog(levels, levels / plane.star, "-", **style, label="noise / σ*")
