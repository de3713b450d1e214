"""Injectivity at a distance as a query in VNN-LIB 2.0 (www.vnnlib.org, chapter "Query Language")."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from unrelu.domains import Box
from unrelu.domains._checks import number
from unrelu.errors import ArgumentError
from unrelu.layers import ReLULayer
from unrelu.layers.to_onnx import model_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unrelu.domains import Domain
    from unrelu.layers import Network

    Shapes = tuple[Sequence[int], Sequence[int]]


def query(subject: ReLULayer | Network, domain: Domain, delta: float, *, shapes: Shapes | None = None) -> str:
    r"""Return the question for two inputs with the same output that are at least ``delta`` apart.

    .. math::
        \exists x, x' \in [lo, hi]: \quad f(x) = f(x'), \quad \max_i |x_i - x'_i| \ge \delta

    Two networks are declared, the second ``equal-to`` the first: both are the same ONNX model. That is the
    model a network was traced from, or `unrelu.layers.to_onnx.layer_model` of a layer. An answer ``sat``
    refutes injectivity; ``unsat`` proves that inputs with the same output are closer than ``delta``. All
    tensors are ``real``: arithmetic is meant without rounding.

    Bounds and ``delta`` are the shortest decimals that float64 reads back the same, without exponents, for
    which the grammar has no place.

    Args:
        subject: The layer or the network.
        domain: Where its inputs live, a `Box` with finite bounds.
        delta: Distance in the largest coordinate, in units of the input; positive.
        shapes: Shapes of input and output that the ONNX file declares; if ``None`` those of one sample
            behind a first axis of length 1, the batch.

    Returns:
        The query, linear in size in the numbers of inputs and outputs.

    Raises:
        ArgumentError: If the domain is no bounded box or does not fit, ``delta`` is not positive and finite,
            or the shapes do not fit.

    Example:
        >>> import numpy as np, unrelu
        >>> text = query(unrelu.ReLULayer(np.ones((1, 2))), unrelu.Box(0, 1), 0.25)
        >>> print(text[text.index("(assert (==") :], end="")
        (assert (== Y1[0,0] Y2[0,0]))
        (assert (or
            (>= (- X1[0,0] X2[0,0]) 0.25)
            (>= (- X2[0,0] X1[0,0]) 0.25)
            (>= (- X1[0,1] X2[0,1]) 0.25)
            (>= (- X2[0,1] X1[0,1]) 0.25)
        ))
    """
    if not isinstance(domain, Box) or not domain.bounded:
        raise ArgumentError(f"domain: expected a box with finite bounds, got {domain!r}")
    distance = decimal(number("delta", delta, positive=True))
    own, name = _own_shapes(subject)
    source, target = own if shapes is None else _checked(shapes, own)
    box = domain.bounds(math.prod(source))
    parts = (
        _head(name, distance),
        _declaration("f", "1", source, target),
        _declaration("g", "2", source, target, "\n    (equal-to f)"),
        *_bounds(source, *box),
        *(f"(assert (== Y1{at} Y2{at}))" for at in _places(target)),
        _apart(source, distance),
    )
    return "\n".join(parts) + "\n"


def decimal(value: float) -> str:
    """Return the shortest decimal that float64 reads back the same, with a point and without an exponent."""
    return np.format_float_positional(np.float64(value), unique=True, trim="0")


def _own_shapes(subject: ReLULayer | Network) -> tuple[Shapes, str]:
    """Return the shapes of the tensors of the ONNX model, and what to call it."""
    if isinstance(subject, ReLULayer):
        return model_shapes(subject), subject.name
    return ((1, *subject.input_shape), (1, *subject.output_shape)), subject.origin


def _checked(shapes: Shapes, own: Shapes) -> Shapes:
    for what, given, known in zip(("inputs", "outputs"), shapes, own, strict=True):
        if math.prod(given) != math.prod(known):
            raise ArgumentError(f"shapes: expected {math.prod(known)} {what}, got shape {tuple(given)}")
    return shapes


def _head(name: str, delta: str) -> str:
    # As ASCII, and without line breaks: the name comes from a file.
    return (
        f"; Has {name!a} two inputs with the same output, {delta} or more apart in a coordinate?\n"
        "; sat: it is not injective on the box. unsat: there are no such inputs.\n"
        "; f and g are the same model: verify this file with --network f=MODEL.onnx\n"
        "(vnnlib-version <2.0>)\n"
    )


def _declaration(
    name: str, mark: str, source: Sequence[int], target: Sequence[int], relation: str = ""
) -> str:
    lines = [
        f"    (declare-{end} {letter}{mark} real [{','.join(map(str, shape))}])"
        for end, letter, shape in (("input", "X", source), ("output", "Y", target))
    ]
    return "\n".join([f"(declare-network {name}{relation}", *lines, ")\n"])


def _places(shape: Sequence[int]) -> Iterator[str]:
    """Yield the indices of all entries of a tensor; a scalar has none."""
    return (f"[{','.join(map(str, index))}]" if index else "" for index in np.ndindex(*shape))


def _bounds(shape: Sequence[int], lo: np.ndarray, hi: np.ndarray) -> Iterator[str]:
    for at, low, high in zip(_places(shape), map(decimal, lo), map(decimal, hi), strict=True):
        for variable in ("X1", "X2"):
            yield f"(assert (>= {variable}{at} {low}))"
            yield f"(assert (<= {variable}{at} {high}))"


def _apart(shape: Sequence[int], delta: str) -> str:
    terms = (
        f"    (>= (- {one}{at} {other}{at}) {delta})"
        for at in _places(shape)
        for one, other in (("X1", "X2"), ("X2", "X1"))
    )
    return "\n".join(["(assert (or", *terms, "))"])
