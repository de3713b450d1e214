"""Naive twin of `unrelu.preimage.pieces`: every sign pattern of every layer, by elimination of variables."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np

from tests.reference.preimage import Polyhedron

Layers = list[tuple[np.ndarray, np.ndarray]]


def forward(layers: Layers, x, final_relu: bool) -> list[list[Fraction]]:
    """Pre-activations of all layers, and the output behind them."""
    values = []
    for k, (weight, bias) in enumerate(layers):
        z = [
            sum((Fraction(a) * Fraction(v) for a, v in zip(w, x, strict=True)), Fraction(b))
            for w, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        values.append(z)
        x = [max(v, Fraction(0)) for v in z] if k < len(layers) - 1 or final_relu else z
    return [*values, list(x)]


def composed(layers: Layers, pattern, n: int) -> list[list[list[Fraction]]]:
    """Pre-activations as rows ``(a, b)`` over the input, with the given signs of all layers but the last."""
    rows = [[Fraction(int(i == j)) for j in range(n + 1)] for i in range(n)]
    found = []
    for k, (weight, bias) in enumerate(layers):
        z = []
        for w, b in zip(weight.tolist(), bias.tolist(), strict=True):
            row = [
                sum((Fraction(a) * r[j] for a, r in zip(w, rows, strict=True)), Fraction(0))
                for j in range(n + 1)
            ]
            z.append([*row[:-1], row[-1] + Fraction(b)])
        found.append(z)
        if k < len(pattern):
            rows = [row if on else [Fraction(0)] * (n + 1) for row, on in zip(z, pattern[k], strict=True)]
    return found


def polyhedron(layers: Layers, pattern, y, final_relu: bool, G=None, h=None) -> tuple[Polyhedron, list]:
    """Inputs with this output and pattern (closed), and the pre-activations there."""
    n = layers[0][0].shape[1]
    rows = composed(layers, pattern, n)
    equalities, inequalities = [], [([0] * n, 0)]
    for z, signs in zip(rows, pattern, strict=False):
        inequalities += [
            ([-v for v in row[:-1]], -row[-1]) if on else (row[:-1], row[-1])
            for row, on in zip(z, signs, strict=True)
        ]
    for row, value in zip(rows[-1], y, strict=True):
        if final_relu and value == 0:
            inequalities.append((row[:-1], row[-1]))
        else:
            equalities.append((row[:-1], row[-1] - value))
    for g, limit in zip([] if G is None else G.tolist(), [] if h is None else h.tolist(), strict=True):
        inequalities.append((g, -Fraction(limit)))
    return Polyhedron(equalities, inequalities), rows


def pieces(layers: Layers, y, final_relu: bool, G=None, h=None) -> dict[tuple[int, ...], tuple[int, bool]]:
    """Signs inside each piece that lies in no other, with its dimension and whether it is unbounded."""
    widths = [len(bias) for _, bias in layers[:-1]]
    found = {}
    for flat in product((False, True), repeat=sum(widths)):
        cuts = np.cumsum([0, *widths])
        pattern = [flat[a:b] for a, b in pairwise(cuts)]
        part, rows = polyhedron(layers, pattern, y, final_relu, G, h)
        if part.has_point():
            named = rows if final_relu else rows[:-1]
            signs = tuple(sign(part, row) for z in named for row in z)
            found[signs] = (part.dimension(), part.unbounded())
    return {s: v for s, v in found.items() if not any(s != t and within(s, t) for t in found)}


def sign(part: Polyhedron, row) -> int:
    """Sign of an affine function of one sign inside a polyhedron."""
    for s in (1, -1):
        if part.has_point(([-s * v for v in row], True)):
            return s
    return 0


def within(signs, others) -> bool:
    """Whether closed signs are among others."""
    return all(s in {0, t} for s, t in zip(signs, others, strict=True))
