"""What the bounds of `unrelu.bias` on unseen samples are worth, where the true risk is known exactly.

Two settings: ``m`` minima of uniform variables, where the risk is ``1 - prod(1 - alpha_j)``, and MCBE for a
few rows on the circle, where it is a sum of arcs. Timed against the sum as written by Campi & Garatti (2018).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks._pair import Comparison, paired
from tests.reference.scenario import circle_risk, minima, wait_and_judge_beta
from unrelu.bias import a_posteriori_epsilon, a_priori_epsilon, patience_epsilon

RUNS, BETA = 1000, 0.05


@dataclass(frozen=True)
class Finding:
    """One bound over many runs.

    Attributes:
        held: Share of the runs in which the risk was within the bound.
        looseness: Median bound over median risk.
    """

    held: float
    looseness: float

    def __str__(self) -> str:
        """Both figures."""
        return f"held in {self.held:.1%}, median bound / median risk {self.looseness:.2f}"


Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
Risk = Callable[[np.ndarray], float]


def uniform(m: int) -> tuple[Draw, Risk]:
    """All of ``m`` independent uniform variables count at every sample."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.random((n, m)), np.ones((n, m), dtype=bool)

    return draw, lambda alpha: float(-np.expm1(np.log1p(-alpha).sum()))


def circle(m: int, seed: int = 0) -> tuple[Draw, Risk]:
    """MCBE with ``m`` Gaussian rows and points from the unit circle."""
    weight = np.random.default_rng(seed).standard_normal((m, 2))

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        angle = rng.random(n) * 2 * np.pi
        z = np.column_stack([np.cos(angle), np.sin(angle)]) @ weight.T
        return z, z >= np.sort(z, axis=1)[:, -2:-1]

    return draw, partial(circle_risk, weight)


def fixed_number(setting: tuple[Draw, Risk], n: int, runs: int, beta: float = BETA) -> dict[str, Finding]:
    """Compare the bounds for a number of samples that is fixed beforehand with the true risk."""
    draw, risk = setting
    rng = np.random.default_rng(1)
    risks, bounds = [], []
    for _ in range(runs):
        values, touched = draw(rng, n)
        alpha, support = minima(values, touched)
        risks.append(risk(alpha))
        bounds.append(
            (
                a_priori_epsilon(n, values.shape[1], beta),
                a_posteriori_epsilon(n, support, beta),
                a_posteriori_epsilon(n, support, beta, degenerate=True),
            )
        )
    names = ("a priori", "a posteriori", "a posteriori, any support")
    return {name: _finding(risks, bound) for name, bound in zip(names, np.transpose(bounds), strict=True)}


def with_patience(setting: tuple[Draw, Risk], patience: int, runs: int, beta: float = BETA) -> Finding:
    """Stop after ``patience`` samples in a row without a change."""
    draw, risk = setting
    rng = np.random.default_rng(2)
    risks, bounds = [], []
    for _ in range(runs):
        values, touched = draw(rng, 20 * patience)
        alpha, changes, quiet = np.full(values.shape[1], np.inf), 0, 0
        for value, touch in zip(values, touched, strict=True):
            lower = np.where(touch, np.minimum(alpha, value), alpha)
            changed = bool((lower < alpha).any())
            alpha, changes, quiet = lower, changes + changed, 0 if changed else quiet + 1
            if quiet == patience:
                break
        else:
            raise RuntimeError("not enough samples drawn")
        risks.append(risk(alpha))
        bounds.append(patience_epsilon(patience, changes, beta))
    return _finding(risks, np.array(bounds))


def _finding(risks: list[float], bounds: np.ndarray) -> Finding:
    return Finding(float((np.array(risks) <= bounds).mean()), float(np.median(bounds) / np.median(risks)))


def _summed(n: int, k: int, beta: float) -> float:
    """Bisect with the sum over all samples, in rational numbers."""
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if wait_and_judge_beta(n, k, middle) <= beta else (middle, high)
    return high


def run() -> list[Comparison]:
    """Simulate, and time the a-posteriori bound."""
    facts = {"runs, beta": f"{RUNS}, {BETA}"}
    for name, setting in (
        ("1 uniform", uniform(1)),
        ("20 uniform", uniform(20)),
        ("circle, 6 rows", circle(6)),
        ("circle, 12 rows", circle(12)),
    ):
        for bound, finding in fixed_number(setting, 300, RUNS).items():
            facts[f"{name}, N = 300, {bound}"] = str(finding)
        facts[f"{name}, patience 100"] = str(with_patience(setting, 100, RUNS))
    return [
        paired(
            "scenario: a-posteriori bound, N = 300, k = 10",
            ("unrelu.bias.a_posteriori_epsilon", 1, lambda: a_posteriori_epsilon(300, 10, BETA)),
            ("the sum in rational numbers", 1, lambda: _summed(300, 10, BETA)),
            facts=facts,
        )
    ]
