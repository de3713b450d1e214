"""The exact preimage of an output through several ReLU layers: a union of polyhedra.

Behrmann et al. 2018, Section 4, leave several layers open; this is the direct way for small ones.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from unrelu._checks import whole_number
from unrelu._progress import progress_bar
from unrelu.arrays import flatten_samples, to_tensor
from unrelu.errors import ArgumentError
from unrelu.preimage._classify import check_domain
from unrelu.preimage._preimage import _digits
from unrelu.preimage._result import Evidence, Kind, OutputError
from unrelu.preimage.pieces._chain import Chain, as_network, chain_of
from unrelu.preimage.pieces._leaf import Target
from unrelu.preimage.pieces._rationals import Row, dot, exact
from unrelu.preimage.pieces._result import NetworkPreimage, Piece
from unrelu.preimage.pieces._search import Found, Limits, search
from unrelu.preimage.pieces._start import start_of

if TYPE_CHECKING:
    from unrelu.arrays import Array
    from unrelu.domains import Domain
    from unrelu.layers import Network, ReLULayer


def network_preimage(
    net: Network | ReLULayer,
    x: Array | None = None,
    y: Array | None = None,
    domain: Domain | None = None,
    *,
    max_pieces: int = 10_000,
    time_limit: float | None = None,
    progress: bool = False,
) -> NetworkPreimage:
    r"""Describe ``{x : f(x) = y}`` for a network ``f`` of a few small layers, in a domain where one is given.

    On the inputs for which all pre-activations have given signs ``f`` is affine, so that each sign pattern
    contributes a polyhedron. Patterns are enumerated layer by layer; a sign is followed where a point of the
    region proves that it occurs, and left out where Farkas multipliers prove that it does not. Points and
    multipliers are checked in rational arithmetic. Time grows with the number of regions: some ten inputs
    and forty neurons a layer are what this is for.

    Closed polyhedra cover the set: a pre-activation that is 0 counts as either sign, and a piece that lies
    in another one is dropped.

    Args:
        net: A chain of ReLU layers, with or without an affine map at the end.
        x: An input, shape ``(n,)`` or ``input_shape``: the output is the exact one at this input.
        y: An output, shape ``(m,)`` or ``output_shape``, its stored numbers. Where no input has exactly this
            output, equations that follow from others up to the rounding of ``y`` in its own dtype are left
            out, and the evidence is `Evidence.FLOAT`.
        domain: A polyhedral domain: `Box`, `Orthant`, `Polytope`; all of R^n when ``None``.
        max_pieces: Number of pieces at which to stop, before those that lie in others are dropped.
        time_limit: Seconds after which to stop, no limit when ``None``.
        progress: Whether to show a progress bar on standard error.

    Returns:
        The pieces, ``complete`` or not.

    Raises:
        ArgumentError: If the network is no chain of layers, or has too many numbers; if not exactly one of
            ``x`` and ``y`` is given, it has a wrong shape or entries that are not finite, or ``x`` lies
            outside the domain; if the domain is not polyhedral.
        OutputError: If no input of the domain has the output ``y``.

    Example:
        >>> import numpy as np, torch, unrelu
        >>> from unrelu.preimage import network_preimage
        >>> fold = torch.nn.Linear(2, 4, bias=False)
        >>> fold.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> norm = torch.nn.Linear(4, 1, bias=False)
        >>> norm.weight.data = torch.ones(1, 4)  # |x_1| + |x_2|
        >>> net = unrelu.trace(torch.nn.Sequential(fold, torch.nn.ReLU(), norm), torch.zeros(1, 2))
        >>> sphere = network_preimage(net, y=np.ones(1))
        >>> len(sphere.pieces), sphere.dimension, sphere.kind
        (4, 1, <Kind.BOUNDED: 'bounded'>)
        >>> round(sphere.length() ** 2, 9)
        32.0
    """
    if (x is None) == (y is None):
        raise ArgumentError("x, y: expected exactly one of the two")
    max_pieces = whole_number("max_pieces", max_pieces)
    deadline = time.monotonic() + _seconds(time_limit)
    check_domain(domain)
    net = as_network(net)
    chain = chain_of(net)
    point, output, eps = _output(net, chain, x, y, domain)
    limits = Limits(max_pieces, deadline)
    try:
        start = start_of(domain, chain.n)
    except ArithmeticError:
        return _result(chain, Found(missing="the dimension of the domain could not be proved"), rounded=False)
    if start is None:
        raise OutputError("y: expected an output of the network on the domain, but the domain is empty")
    near = None if point is None else [*point, exact(1.0)]
    near = None if near is None else [near[j] for j in start.free]
    with progress_bar(progress) as bar:
        found = search(chain, start, Target(output), limits, near, bar)
        rounded = eps > 0 and not found.pieces and not found.missing
        if rounded:
            programs = found.programs
            found = search(chain, start, Target(output, eps), limits, near, bar)
            found.programs += programs
    if not found.pieces and not found.missing:
        raise OutputError("y: expected an output of the network on the domain, but no input has this one")
    return _result(chain, found, rounded)


def _seconds(time_limit: float | None) -> float:
    if time_limit is None:
        return math.inf
    if not isinstance(time_limit, int | float) or not time_limit > 0:
        raise ArgumentError(f"time_limit: expected a positive number of seconds, got {time_limit!r}")
    return float(time_limit)


def _output(
    net: Network, chain: Chain, x: Array | None, y: Array | None, domain: Domain | None
) -> tuple[Row | None, Row, float]:
    """Return a point with the output, the output, and the rounding error with which it may be read."""
    if x is not None:
        point = _one(x, "x", net.input_shape)
        _check_inside(point, domain)
        values = [exact(v) for v in point.tolist()]
        return values, chain.output(values), 0.0
    wanted = _one(y, "y", net.output_shape)
    negative = int((wanted < 0).sum())
    if chain.final_relu and negative:
        raise OutputError(f"y: expected outputs of a ReLU, got {negative} negative entries")
    return None, [exact(v) for v in wanted.tolist()], _digits(y)


def _one(values: Array, name: str, shape: tuple[int, ...]) -> np.ndarray:
    flat, batch, _ = flatten_samples(to_tensor(values, name), shape, name)
    if batch:
        raise ArgumentError(f"{name}: expected one sample, got batch axes {batch}")
    array: np.ndarray = flat[0].cpu().numpy()
    return array


def _check_inside(point: np.ndarray, domain: Domain | None) -> None:
    if domain is None:
        return
    G, h = domain.inequalities(len(point))
    x = [*map(exact, point.tolist()), exact(1.0)]
    rows = zip(G.tolist(), h.tolist(), strict=True)
    if any(dot([*map(exact, row), exact(-limit)], x) > 0 for row, limit in rows):
        raise ArgumentError("x: expected a point of the domain, got one outside of it")


def _result(chain: Chain, found: Found, rounded: bool) -> NetworkPreimage:
    pieces = tuple(_maximal(found.pieces))
    complete = not found.missing
    kind = _kind(pieces, complete)
    if kind == Kind.UNDECIDED:
        evidence = Evidence.NONE
    else:
        evidence = Evidence.EXACT if chain.is_exact and not rounded else Evidence.FLOAT
    return NetworkPreimage(
        pieces,
        complete,
        max((piece.dimension for piece in pieces), default=-1),
        kind,
        found.programs,
        _reason(found, len(pieces), rounded),
        evidence,
    )


def _reason(found: Found, count: int, rounded: bool) -> str:
    if found.missing:
        return f"{found.missing}: there may be more than these {count} pieces"
    return "y is an output up to rounding" if rounded else "all sign patterns were followed or excluded"


def _kind(pieces: tuple[Piece, ...], complete: bool) -> Kind:
    if any(piece.bounded is False for piece in pieces):
        return Kind.UNBOUNDED
    if not complete or any(piece.bounded is None for piece in pieces):
        return Kind.UNDECIDED
    return Kind.SINGLETON if len(pieces) == 1 and pieces[0].dimension == 0 else Kind.BOUNDED


def _maximal(pieces: list[Piece]) -> list[Piece]:
    """Drop pieces that lie in others: those whose signs are another's, or 0 in their place."""
    if not pieces:
        return []
    signs = np.array([np.concatenate(piece.pattern) for piece in pieces])
    signs, first = np.unique(signs, axis=0, return_index=True)
    kept = [
        int(number)
        for number, row in zip(first, signs, strict=True)
        if not (((row == 0) | (row == signs)).all(axis=1) & (row != signs).any(axis=1)).any()
    ]
    return [pieces[i] for i in sorted(kept)]
