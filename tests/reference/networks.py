"""Injectivity of small networks by brute force: all pairs of sign patterns, by elimination of variables."""

from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product

import numpy as np

from tests.reference.pieces import Layers, composed
from tests.reference.preimage import Polyhedron


def patterns(layers: Layers, final_relu: bool, G, h):
    """Rows and output of every sign pattern that fills a part of the domain."""
    n = layers[0][0].shape[1]
    hidden = len(layers) if final_relu else len(layers) - 1
    cuts = np.cumsum([0, *(len(bias) for _, bias in layers[:hidden])])
    domain = [(g, -Fraction(limit)) for g, limit in zip(G.tolist(), h.tolist(), strict=True)]
    for flat in product((False, True), repeat=int(cuts[-1])):
        pattern = [flat[a:b] for a, b in pairwise(cuts)]
        rows = composed(layers, pattern, n)
        signs = [([0] * n, 0), *domain]
        for z, active in zip(rows, pattern, strict=False):
            signs += [
                ([-v for v in row[:-1]], -row[-1]) if on else (row[:-1], row[-1])
                for row, on in zip(z, active, strict=True)
            ]
        part = Polyhedron([], signs)
        if part.has_point() and part.dimension() == n:
            output = rows[-1]
            if final_relu:
                zero = [Fraction(0)] * (n + 1)
                output = [row if on else zero for row, on in zip(output, pattern[-1], strict=True)]
            yield part.rows, output


def collide(layers: Layers, final_relu: bool, G, h) -> bool:
    """Whether different inputs of ``{x : G x <= h}``, a set with inner points, have the same output."""
    n = layers[0][0].shape[1]
    return meet(list(patterns(layers, final_relu, G, h)), n)


def meet(parts, n: int) -> bool:
    """Whether different points of R^n in parts, with an affine output on each, have the same output."""
    zero = [Fraction(0)] * n
    for (rows, out), (others, other) in combinations_with_replacement(parts, 2):
        equal = [([*a[:-1], *(-v for v in b[:-1])], a[-1] - b[-1]) for a, b in zip(out, other, strict=True)]
        inside = [([*row[:-1], *zero], row[-1]) for row in rows]
        inside += [([*zero, *row[:-1]], row[-1]) for row in others]
        both = Polyhedron(equal, inside)
        for j in range(n):
            apart = [Fraction(0)] * (2 * n + 1)
            apart[j], apart[n + j] = Fraction(1), Fraction(-1)
            if both.has_point((apart, True)) or both.has_point(([-v for v in apart], True)):
                return True
    return False
