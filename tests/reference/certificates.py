"""Naive twin of `unrelu.certificates.verify` for preimages, in Fractions and by full elimination."""

from fractions import Fraction

import numpy as np

from tests.reference.preimage import output, preimage, rank


def is_true(certificate) -> bool:
    """Whether the statement of a preimage certificate is true, whatever its proof."""
    weight, bias = matrix(certificate.layer), certificate.layer.bias
    G, h = certificate.domain.inequalities()
    if certificate.x is not None:
        if any(v > 0 for v in affine(G, -h, certificate.x)):
            return False
        y = output(weight, bias, certificate.x)
    else:
        y = certificate.y.tolist()
        if min(y, default=0) < 0:
            return False
    kind, dimension = preimage(weight, bias, y, G, h)
    return certificate.kind == kind and certificate.dimension in {dimension, -1}


def matrix(record) -> np.ndarray:
    """The rows of a record, dense."""
    dense = np.zeros((record.m, record.n))
    for i in range(record.m):
        part = slice(record.starts[i], record.starts[i + 1])
        dense[i, record.columns[part]] = record.values[part]
    return dense


def affine(W, b, x) -> list[Fraction]:
    """``W x + b`` exactly."""
    point = [Fraction(v) for v in x.tolist()]
    return [
        sum((Fraction(a) * v for a, v in zip(w, point, strict=True)), Fraction(c))
        for w, c in zip(W.tolist(), b.tolist(), strict=True)
    ]


def active_within(record, x, radius: float) -> list[int]:
    """The rows that are strictly active in the closed ball around a point: farther away than the radius."""
    rows = [[Fraction(v) for v in row] for row in matrix(record).tolist()]
    values = affine(matrix(record), record.bias, x)
    return [
        i
        for i, (row, v) in enumerate(zip(rows, values, strict=True))
        if v > 0 and v**2 > Fraction(radius) ** 2 * dot(row, row)
    ]


def have_active_frames(record, points, radius: float) -> bool:
    """Whether around each point the rows that are active in its ball span R^n."""
    rows = [[Fraction(v) for v in row] for row in matrix(record).tolist()]
    return all(rank([rows[i] for i in active_within(record, x, radius)]) == record.n for x in points)


def kernel(rows: list[list[Fraction]], n: int) -> list[list[Fraction]]:
    """A basis of the null space."""
    reduced: list[tuple[int, list[Fraction]]] = []
    for row in rows:
        for pivot, other in reduced:
            row = [a - row[pivot] * b for a, b in zip(row, other, strict=True)]
        pivot = next((j for j, v in enumerate(row) if v), None)
        if pivot is not None:
            row = [v / row[pivot] for v in row]
            reduced = [(p, [a - r[pivot] * b for a, b in zip(r, row, strict=True)]) for p, r in reduced]
            reduced.append((pivot, row))
    pivots = {p for p, _ in reduced}
    basis = []
    for j in range(n):
        if j not in pivots:
            vector = [Fraction(int(k == j)) for k in range(n)]
            for p, row in reduced:
                vector[p] = -row[j]
            basis.append(vector)
    return basis


def dot(p, q) -> Fraction:
    """Inner product."""
    return sum((a * b for a, b in zip(p, q, strict=True)), Fraction(0))


def projected(rows: list[list[Fraction]], v: list[Fraction]) -> list[Fraction]:
    """The nearest vector to ``v`` that is 0 on all rows, by Gram and Schmidt."""
    result, orthogonal = [Fraction(0)] * len(v), []
    for b in kernel(rows, len(v)):
        for o in orthogonal:
            factor = dot(b, o) / dot(o, o)
            b = [p - factor * q for p, q in zip(b, o, strict=True)]
        orthogonal.append(b)
        factor = dot(v, b) / dot(b, b)
        result = [p + factor * q for p, q in zip(result, b, strict=True)]
    return result


def cone_bounds(rows: list[list[Fraction]], n: int, proof, zero, strict) -> tuple[int, int]:
    """Bounds of the dimension of a cone that a proof gives; ``zero`` and ``strict`` are the true sets."""
    Z = [rows[i] for i in zero]
    low, high = n - rank(Z), n
    if len(strict):
        direction = None if proof.direction is None else projected(Z, [Fraction(v) for v in proof.direction])
        if direction is None or any(dot(rows[i], direction) >= 0 for i in strict):
            low = 0
    used = [rows[i] for i in [*proof.equalities, *proof.implied]]
    if not len(proof.implied):
        return low, n - rank(used)
    if proof.multipliers is not None:
        columns = [list(column) for column in zip(*used, strict=True)]
        weights = projected(columns, [Fraction(v) for v in proof.multipliers])
        if all(w > 0 for w in weights[len(proof.equalities) :]):
            high = n - rank(used)
    return low, high


def verify_at_point(certificate) -> bool:
    """Whether the certificate of an input proves its statement, with corrections by projection."""
    G, h = certificate.domain.inequalities()
    dense, n = np.concatenate([matrix(certificate.layer), G]), certificate.layer.n
    values = affine(dense, np.concatenate([certificate.layer.bias, -h]), certificate.x)
    m = certificate.layer.m
    if any(v > 0 for v in values[m:]):
        return False
    rows = [[Fraction(v) for v in row] for row in dense.tolist()]
    active = [i for i, v in enumerate(values) if v > 0]
    kind, dimension = certificate.kind, certificate.dimension
    if certificate.spanning is not None:
        rows_used = [rows[i] for i in certificate.spanning if i in active]
        return (kind, dimension) == ("singleton", 0) and rank(rows_used) == n
    allowed = [i for i, v in enumerate(values) if v == 0]
    bounds = {}
    for name in ("tangent", "recession"):
        proof = getattr(certificate, name)
        if proof is None:
            bounds[name] = 0, n
            continue
        if not set(proof.equalities) <= set(active):
            return False
        if not set(proof.implied) <= set(proof.inequalities) <= set(allowed):
            return False
        zero, strict = [*active, *proof.implied], [i for i in allowed if i not in proof.implied]
        low, high = cone_bounds(rows, n, proof, zero, strict)
        if proof.dimension >= 0 and not (high == proof.dimension and proof.dimension in {0, low}):
            return False
        bounds[name] = low, high
        allowed = [i for i, v in enumerate(values) if v <= 0]
    low, high = bounds["tangent"]
    least, most = bounds["recession"]
    if kind == "singleton":
        return dimension == 0 and high == 0
    if dimension != -1 and not low == dimension == high:
        return False
    return (low > 0 and most == 0) if kind == "bounded" else (kind == "unbounded" and least > 0)
