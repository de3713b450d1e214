"""The preimage of one output of a layer (Behrmann et al. 2018, Section 2 and Remark 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from joblib import Parallel

from unrelu.arrays import flatten_samples, to_tensor
from unrelu.errors import ArgumentError
from unrelu.frames import frame_of
from unrelu.frames._signs import in_double
from unrelu.preimage._classify import Classifier, check_domain
from unrelu.preimage._output import classify_output
from unrelu.preimage._preimages import classify_points
from unrelu.preimage._result import Kind, certificate_of

if TYPE_CHECKING:
    from unrelu.arrays import Array
    from unrelu.domains import Domain
    from unrelu.frames import Frame
    from unrelu.layers import ReLULayer
    from unrelu.preimage._result import Preimage


def preimage(
    layer: ReLULayer,
    x: Array | None = None,
    y: Array | None = None,
    domain: Domain | None = None,
    *,
    frame: Frame | None = None,
) -> Preimage:
    r"""Describe ``P(y) = {x : relu(W x + b) = y}``, intersected with a domain where one is given.

    With ``I = {i : y_i > 0}`` it is the polyhedron ``W_I x = y_I - b_I, W_i x + b_i <= 0`` for the other
    rows. It is bounded if and only if ``{d : W_I d = 0, W_i d <= 0}`` is {0}; its dimension is that of the
    same cone with only those of the other rows that are 0 at a point of it, and 0 makes it a singleton.

    Args:
        layer: The layer.
        x: An input, shape ``(n,)`` or ``in_shape``: the output is the exact one at this input.
        y: An output, shape ``(m,)`` or ``out_shape``. Where its positive entries overdetermine the input,
            they are read as rounded in their own dtype, and the evidence is `Evidence.FLOAT`. Where only
            rounding may keep it from being an output, the kind is undecided.
        domain: A polyhedral domain: `Box`, `Orthant`, `Polytope`; all of R^n when ``None``.
        frame: The layer's rows, to be shared between calls; made from the layer when ``None``.

    Returns:
        Kind, dimension and radius with their proof.

    Raises:
        ArgumentError: If not exactly one of ``x`` and ``y`` is given, it has a wrong shape or entries that
            are not finite, ``x`` lies outside the domain, or the domain is not polyhedral.
        OutputError: If ``y`` has negative entries or no input of the domain has this output.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> result = unrelu.preimage(layer, np.array([3.0, -1.0]))
        >>> result.kind, result.dimension
        (<Kind.BOUNDED: 'bounded'>, 1)
        >>> unrelu.preimage(layer, y=np.zeros(3)).kind
        <Kind.SINGLETON: 'singleton'>
        >>> unrelu.preimage(layer, np.array([0.5, 0.0]), domain=unrelu.Box(0, 1)).kind
        <Kind.SINGLETON: 'singleton'>
    """
    if (x is None) == (y is None):
        raise ArgumentError("x, y: expected exactly one of the two")
    check_domain(domain)
    double = in_double(layer)
    if x is not None:
        samples, batch, _ = double.samples(x)
    else:
        samples, batch, _ = flatten_samples(to_tensor(y, "y"), layer.out_shape, "y")
    if batch:
        raise ArgumentError(f"{'y' if x is None else 'x'}: expected one sample, got batch axes {batch}")
    classifier = Classifier(frame or frame_of(double), domain, exact=double.exact)
    given = samples[0].double().cpu().numpy()
    if x is not None:
        found = classify_points(double, samples, classifier, Parallel(1), 1)[0]
        return _certified(found, layer, domain, (given, None))
    found = classify_output(double, given, _digits(y), classifier, domain)
    return _certified(found, layer, domain, (None, given))


def _certified(
    found: Preimage,
    layer: ReLULayer,
    domain: Domain | None,
    given: tuple[np.ndarray | None, np.ndarray | None],
) -> Preimage:
    if found.kind == Kind.UNDECIDED:
        return found
    claim = str(found.kind), found.dimension
    return replace(found, certificate=certificate_of(layer, domain, given, claim, found.proof))


def _digits(y: Array) -> float:
    """Return the relative rounding error of the dtype that outputs came in; float64's for whole numbers."""
    if isinstance(y, torch.Tensor):
        return torch.finfo(y.dtype).eps if y.dtype.is_floating_point else float(np.finfo(float).eps)
    dtype = np.asarray(y).dtype
    return float(np.finfo(dtype if dtype.kind == "f" else float).eps)
