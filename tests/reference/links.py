"""Links by brute force in Fractions: all choices of signs and maxima; and their norms in floating point."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np

from tests.reference.certificates import matrix
from tests.reference.networks import meet
from tests.reference.preimage import Polyhedron, rank
from unrelu.certificates import LinkRecord, LinkStep

ENTRIES = {
    "arcsinh": lambda x, a: math.asinh(x),
    "arctan": lambda x, a: math.atan(x),
    "celu": lambda x, a: x if x > 0 else a * math.expm1(x / a),
    "elu": lambda x, a: x if x > 0 else a * math.expm1(x),
    "leaky_relu": lambda x, a: x if x > 0 else a * x,
    "sigmoid": lambda x, a: 1 / (1 + math.exp(-x)),
    "softplus": lambda x, a: math.log1p(math.exp(x)),
    "softsign": lambda x, a: x / (1 + abs(x)),
    "tanh": lambda x, a: math.tanh(x),
}


def parts(link, G=None, h=None):
    """Rows ``<= 0`` and output of every choice of signs and maxima that some input of a domain makes."""
    unit = _exact(np.eye(link.n, link.n + 1))
    domain = [] if G is None else list(_exact(np.column_stack([G, -h])))
    found = [([0 * unit[0], *domain], [unit])]
    for step in link.steps:
        found = [next_part for part in found for next_part in _chosen(step, *part)]
    for rows, results in found:
        part = Polyhedron([], [(row[:-1], row[-1]) for row in rows])
        if part.has_point():
            yield part.rows, results[-1].tolist()


def _chosen(step, rows, results):
    """Each way in which a step may go on: rows ``(values, offset)`` that are at most 0 then, and results."""
    values = _exact(matrix(step.map)) @ np.concatenate([results[source] for source in step.inputs])
    values[:, -1] += _exact(step.map.bias)
    if step.kind == "affine":
        yield rows, [*results, values]
    if step.kind == "relu":
        for signs in product((0, 1), repeat=len(values)):
            on = np.array(signs)[:, None]
            yield [*rows, *(values * (1 - 2 * on))], [*results, values * on]
    if step.kind == "maximum":
        for chosen in product(*step.groups.tolist()):
            less = [values[i] - values[k] for k, own in zip(chosen, step.groups, strict=True) for i in own]
            yield [*rows, *less], [*results, values[list(chosen)]]


def _exact(values: np.ndarray) -> np.ndarray:
    return np.vectorize(Fraction, otypes=[object])(values)


def collide(link, G=None, h=None) -> bool:
    """Whether two different inputs of ``{u : G u <= h}`` have the same result."""
    return meet(list(parts(link, G, h)), link.n)


def joined(links) -> LinkRecord:
    """Links one behind the other as one."""
    steps: list[LinkStep] = []
    for link in links:
        start = len(steps)
        moved = [tuple(start + i if i or start else 0 for i in step.inputs) for step in link.steps]
        steps += [replace(step, inputs=inputs) for step, inputs in zip(link.steps, moved, strict=True)]
    return LinkRecord(links[0].n, tuple(steps))


def evaluate(link, u: np.ndarray) -> np.ndarray:
    """The result at an input, in floating point."""
    results = [u]
    for step in link.steps:
        x = matrix(step.map) @ np.concatenate([results[source] for source in step.inputs]) + step.map.bias
        results.append(_result(step, x))
    return results[-1]


def _result(step, x: np.ndarray) -> np.ndarray:
    if step.kind == "relu":
        return np.maximum(x, 0)
    if step.kind == "maximum":
        return x[step.groups].max(axis=1)
    if step.kind == "entrywise":
        return np.array([ENTRIES[step.function.name](v, step.function.parameter) for v in x.tolist()])
    if step.kind == "normalised":
        grouped = x.reshape(-1, step.norm.count)
        grouped = grouped - grouped.mean(axis=1, keepdims=True) * step.norm.centred
        grouped = grouped / np.sqrt((grouped**2).mean(axis=1, keepdims=True) + step.norm.eps)
        return grouped.ravel() * step.norm.gain + step.norm.offset
    return x


def contraction(link) -> float:
    """The sum of norms of a link with dense numbers, ``R`` the inverse of the shortcut, all in one block."""
    constants, sizes = [1.0], [link.n]
    for step in link.steps:
        columns = np.split(matrix(step.map), np.cumsum([sizes[i] for i in step.inputs])[:-1], axis=1)
        pieces = dict(zip(step.inputs, columns, strict=True))
        if step is link.last:
            inverse = np.linalg.pinv(pieces.pop(0))
            return sum(np.linalg.norm(inverse @ part, 2) * constants[i] for i, part in pieces.items())
        repeat = step.groups.ravel() if step.kind == "maximum" else slice(None)
        constants.append(sum(np.linalg.norm(p[repeat], 2) * constants[i] for i, p in pieces.items()))
        sizes.append(step.size)
    return np.inf


def has_full_rank(weight: np.ndarray) -> bool:
    """Whether the columns are independent, in Fractions."""
    return rank([[Fraction(v) for v in row] for row in weight.tolist()]) == weight.shape[1]
