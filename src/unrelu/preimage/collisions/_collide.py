"""Another input with the same output (Behrmann et al. 2018, Section 5 and Appendix A7)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.arrays import like, to_tensor
from unrelu.domains import Domain, Polytope, Space
from unrelu.errors import ArgumentError
from unrelu.frames import activity, frame_of
from unrelu.frames._signs import in_double
from unrelu.layers import Network, ReLULayer
from unrelu.preimage.collisions._goal import Farthest, Goal, Linear, Nearest
from unrelu.preimage.collisions._layer import collide_layer
from unrelu.preimage.collisions._network import collide_network
from unrelu.preimage.collisions._result import Collision, relative_difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.arrays import Array
    from unrelu.frames import Frame
    from unrelu.preimage.collisions._proof import Candidate

_OBJECTIVES = ("euclidean", "linear")


def collide(
    layer: ReLULayer | Network,
    x: Array,
    towards: Array | None = None,
    along: Array | None = None,
    domain: Domain | None = None,
    *,
    objective: str = "euclidean",
    frame: Frame | None = None,
    seed: int = 0,
    time_limit: float | None = None,
) -> Collision | None:
    r"""Find another input ``x'`` of a domain with the output of ``x``.

    With ``I`` the strictly active rows at ``x``, the other inputs of a layer are those with
    ``W_I x' = W_I x`` and ``W_i x' + b_i <= 0`` for the other rows. Of these is returned

    - with ``towards=c``: the nearest to ``c`` (a quadratic program); for ``objective="linear"`` the one with
      the largest ``<c, x'>`` (the paper's linear program);
    - with ``along=d``: the one with the largest ``<d, x'>``, which is the farthest along the part of ``d``
      that the layer does not see. Where that has no end, an entry moves by ten times the largest power of
      two up to the largest entry of ``x``, and ``reason`` says so;
    - otherwise: one as far from ``x`` as linear programs from a few directions find, a local maximum.

    Where ``x`` itself is the best, one as for the last case is returned, and ``reason`` says so. Each border
    that ``x`` is off is kept at a distance of about 1e-9, relative to the size of the inputs, so that the
    other input can be proved in spite of rounding.

    For a network, inputs that collide in its first layer compete with those in the linear region of ``x``
    that keep the final output, and with those in regions beyond that a search from border to border reaches.

    Args:
        layer: A layer or a traced network.
        x: An input of the domain, shape ``(n,)`` or the layer's ``in_shape``.
        towards: A target, shaped likewise; it need not lie in the domain.
        along: A direction, shaped likewise, not 0.
        domain: A polyhedral domain: `Box`, `Orthant`, `Polytope`; all of R^n when ``None``.
        objective: ``"euclidean"`` or ``"linear"``, for ``towards``.
        frame: The rows of the (first) layer, to be shared between calls; made when ``None``.
        seed: Of the random directions for the farthest input.
        time_limit: Seconds after which the best input so far is returned; no limit when ``None``.

    Returns:
        The other input with its certificate; ``None`` where ``x`` is proved to be the only one.

    Raises:
        ArgumentError: If an array does not fit, is not finite or lies outside the domain, ``towards`` and
            ``along`` are both given, or the domain is not polyhedral.
        UnreluError: If neither another input nor a proof that there is none was found.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> found = unrelu.collide(layer, np.array([3.0, -1.0]), towards=np.array([0.0, 0.0]))
        >>> found.x.round(6), round(found.distance, 6), found.output_difference
        (array([ 3., -0.]), 1.0, 0.0)
        >>> unrelu.collide(layer, np.array([1.0, 1.0])) is None
        True
    """
    if towards is not None and along is not None:
        raise ArgumentError("towards, along: expected at most one of the two")
    if objective not in _OBJECTIVES:
        raise ArgumentError(f"objective: expected one of {', '.join(_OBJECTIVES)}, got {objective!r}")
    deadline = _deadline(time_limit)
    domain = Space() if domain is None else domain
    if not isinstance(layer, ReLULayer | Network):
        raise ArgumentError(f"layer: expected a ReLULayer or a Network, got {type(layer).__name__}")
    shape = layer.in_shape if isinstance(layer, ReLULayer) else layer.input_shape
    point = _point(x, "x", shape)
    target = None if towards is None else _point(towards, "towards", shape)
    goal = _goal(shape, target, along, objective, seed)
    _check_inside(point, domain)
    if isinstance(layer, Network):
        found = collide_network(layer, point, domain, goal, deadline, frame)
        forward = layer.forward
    else:
        layer = in_double(layer)
        found = collide_layer(layer, frame or frame_of(layer), point, domain, goal, deadline)
        forward = layer.apply
    return None if found is None else _result(forward, x, point, found, target)


def _deadline(time_limit: float | None) -> float:
    if time_limit is None:
        return math.inf
    if not isinstance(time_limit, int | float) or not time_limit > 0:
        raise ArgumentError(f"time_limit: expected a positive number of seconds, got {time_limit!r}")
    return time.monotonic() + time_limit


def _point(x: Array, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return one sample as a flat float64 array."""
    tensor = to_tensor(x, name).cpu()
    if tuple(tensor.shape) not in {shape, (math.prod(shape),)}:
        raise ArgumentError(f"{name}: expected one sample of shape {shape}, got {tuple(tensor.shape)}")
    return tensor.reshape(-1).numpy().copy()


def _goal(
    shape: tuple[int, ...], target: np.ndarray | None, along: Array | None, objective: str, seed: int
) -> Goal:
    if target is not None:
        return Nearest(target) if objective == "euclidean" else Linear(target)
    if along is None:
        return Farthest(seed)
    direction = _point(along, "along", shape)
    if not direction.any():
        raise ArgumentError("along: expected a direction, got zeros")
    return Linear(direction)


def _check_inside(x: np.ndarray, domain: Domain) -> None:
    """Refuse domains without inequalities, and points outside.

    Raises:
        ArgumentError: Saying what was expected.
    """
    if not isinstance(domain, Domain) or not domain.polyhedral:
        raise ArgumentError(f"domain: expected a Box, Orthant, Polytope or Space, got {domain!r}")
    domain.resolve_dimension(len(x))
    if isinstance(domain, Polytope):
        G, h = domain.inequalities()
        inside = bool((activity(ReLULayer(G, -h), torch.from_numpy(x)[None]).signs <= 0).all())
    else:
        inside = bool(domain.contains(x))
    if not inside:
        raise ArgumentError("x: expected a point of the domain, got one outside of it")


def _result(
    forward: Callable[[np.ndarray], np.ndarray],
    x: Array,
    point: np.ndarray,
    found: Candidate,
    target: np.ndarray | None,
) -> Collision:
    """Return a candidate as the caller sees it."""
    shape = tuple(x.shape)
    other, original = (like(torch.from_numpy(v.reshape(shape)), x) for v in (found.other, point))
    outputs = forward(np.stack([found.other, point]))
    return Collision(
        x=other,
        original=original,
        distance=float(np.linalg.norm(found.other - point)),
        output_difference=relative_difference(outputs[0], outputs[1]),
        target_distance=None if target is None else float(np.linalg.norm(found.other - target)),
        certificate=found.certificate,
        optimal_gap=found.gap,
        reason=found.reason,
        region=found.region,
    )
