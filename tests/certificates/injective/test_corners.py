"""Rows that are always active against least values with Fractions."""

from fractions import Fraction

import numpy as np
import pytest

from unrelu.certificates import DomainRecord, LayerRecord
from unrelu.certificates.injective import always_active, bounds


def naively(weight, bias, low, high) -> list[int]:
    out = []
    for i, (row, b) in enumerate(zip(weight.tolist(), bias.tolist(), strict=True)):
        corner = [lo if w > 0 else hi for w, lo, hi in zip(row, low.tolist(), high.tolist(), strict=True)]
        used = [(Fraction(w), c) for w, c in zip(row, corner, strict=True) if w]
        if used and all(np.isfinite(c) for _, c in used):
            least = sum((w * Fraction(c) for w, c in used), Fraction(b))
            out += [i] if least >= 0 else []
    return out


@pytest.mark.parametrize("kind", ["whole", "gaussian", "tiny", "huge"])
def test_boxes(kind, rng):
    for _ in range(40):
        weight = rng.integers(-2, 3, (12, 3)).astype(float)
        bias = rng.integers(0, 5, 12).astype(float)
        low, high = -rng.integers(0, 2, 3).astype(float), rng.integers(1, 3, 3).astype(float)
        if kind == "gaussian":
            weight = weight * rng.standard_normal((12, 3))
            bias = np.where(rng.random(12) < 0.5, np.abs(weight) @ np.maximum(high, -low), bias)
        scale = {"tiny": 2.0**-1060, "huge": 2.0**1018}.get(kind, 1.0)
        low = np.where(rng.random(3) < 0.2, -np.inf, low)
        box = DomainRecord("box", 3, low, high)
        layer = LayerRecord.dense(weight * scale, bias * scale)
        expected = naively(weight * scale, bias * scale, low, high)
        assert always_active(layer, box).tolist() == expected


def test_the_last_bit_counts():
    # 0.1 + 0.2 is more than 0.3 for the stored numbers, and 0.7 + 0.1 is less than 0.8.
    unit = DomainRecord("box", 2, -np.ones(2), np.ones(2))
    for weights, bias, active in (
        ((0.1, 0.2), 0.3, False),
        ((0.7, 0.1), 0.8, True),
        ((0.1, 0.2), 0.31, True),
    ):
        assert len(always_active(LayerRecord.dense(np.array([weights]), np.array([bias])), unit)) == active


def test_other_domains():
    layer = LayerRecord.dense(
        np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 2.0]]), np.array([0.0, 5, 5, -1])
    )
    assert always_active(layer, DomainRecord("orthant", 2)).tolist() == [0]
    assert always_active(layer, DomainRecord("space", 2)).tolist() == []
    cone = DomainRecord("polytope", 2, matrix=-np.eye(2), offsets=np.zeros(2))
    assert always_active(layer, cone).tolist() == []
    assert bounds(cone) is None
    assert (
        always_active(LayerRecord.dense(np.zeros((0, 2)), np.zeros(0)), DomainRecord("orthant", 2)).tolist()
        == []
    )


@pytest.mark.parametrize("scale", [1.0, 2.0**-1000, 2.0**-520, 2.0**500])
def test_balls(scale, rng):
    for _ in range(40):
        weight = rng.integers(-3, 4, (12, 3)).astype(float)
        bias, center = rng.integers(0, 9, 12).astype(float), rng.integers(-1, 2, 3) / 2
        radius = float(rng.choice([1.0, 0.5, 1e-200]))
        expected = []
        for i, (row, b) in enumerate(zip(weight.tolist(), bias.tolist(), strict=True)):
            value = sum(
                (Fraction(p) * Fraction(q) for p, q in zip(row, center.tolist(), strict=True)), Fraction(b)
            )
            square = Fraction(radius) ** 2 * sum(Fraction(p) ** 2 for p in row)
            expected += [i] if any(row) and value >= 0 and value**2 >= square else []
        ball = DomainRecord("ball", 3, center=center, radius=radius)
        assert always_active(LayerRecord.dense(weight * scale, bias * scale), ball).tolist() == expected


def test_a_ball_touches_a_hyperplane():
    ball = DomainRecord("ball", 2, center=np.zeros(2), radius=1.0)
    layer = LayerRecord.dense(np.full((2, 2), [3.0, 4.0]), np.array([5.0, np.nextafter(5.0, 0)]))
    assert always_active(layer, ball).tolist() == [0]
