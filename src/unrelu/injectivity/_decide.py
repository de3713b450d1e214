"""Injectivity of layers and networks (Puthawala et al. 2022; Froese, Grillo, Skutella 2024)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError
from unrelu.injectivity._layer import Options, check_domain, decide_layer
from unrelu.injectivity._network import decide_network
from unrelu.layers import Network, ReLULayer

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.injectivity._verdict import Decision, NetworkDecision


@overload
def decide(
    layer: ReLULayer,
    domain: Domain | None = None,
    *,
    time_limit: float = 60.0,
    assume_general_position: bool | None = None,
    n_jobs: int = -1,
    seed: int = 0,
    progress: bool = False,
) -> Decision: ...


@overload
def decide(
    layer: Network,
    domain: Domain | None = None,
    *,
    time_limit: float = 60.0,
    assume_general_position: bool | None = None,
    n_jobs: int = -1,
    seed: int = 0,
    progress: bool = False,
) -> NetworkDecision: ...


def decide(
    layer: ReLULayer | Network,
    domain: Domain | None = None,
    *,
    time_limit: float = 60.0,
    assume_general_position: bool | None = None,
    n_jobs: int = -1,
    seed: int = 0,
    progress: bool = False,
) -> Decision | NetworkDecision:
    """Decide whether different inputs of a domain always have different outputs.

    A layer is injective on an open convex domain if and only if at every point of it the weakly active rows,
    ``w_i · x + b_i >= 0``, span R^n. What is tried, in this order: the layer's structure (opposite rows, rows
    always active, components and windows that are injective by themselves; rank and number of rows); an
    annealed search for a point with too few active rows, for ``n > 12``; a search tree that proves that there
    is no such point or finds one, for ``n <= 64``; the annealed search with the time that is left.

    Both answers speak of the closed domain: where rows are not weakly active at a border point, they are not
    at points inside that are close to it, so that the border alone never makes a layer confuse inputs. On a
    domain without inner points the condition is sufficient but not necessary; there a layer is INJECTIVE or
    the domain is refused. Floating point proposes and exact arithmetic decides: small layers that floating
    point cannot tell are decided in rational arithmetic, with a witness in Fractions if need be.

    A network of injective layers is injective; it is not where its first layer is not, or where around a
    point too few neurons are active. What is no ReLU layer is a link of its own, between tensors through
    which everything behind sees what is in front: affine maps of full rank, residual blocks whose norms
    contract, skip connections, maxima beside what tells their entries apart, and normalisations, of which
    `NetworkDecision` says what they mean. Small networks are decided by all pairs of their linear regions, on
    the closed domain.

    Args:
        layer: A layer, or a traced network, whose layers are decided on sets that contain all their inputs.
        domain: Where inputs live: a convex domain; all of R^n when ``None``.
        time_limit: Seconds for a layer, about.
        assume_general_position: ``True``: any n rows of ``W`` are taken to be linearly independent, and the
            grade says so; faster. ``False``: never. ``None``: where there is no time for a proof without.
        n_jobs: Threads, as in joblib.
        seed: Of random numbers.
        progress: Whether to show progress on standard error.

    Returns:
        The verdict with its certificate, and a pair of inputs with the same output where it is refuted.

    Raises:
        ArgumentError: If the domain does not fit, is not convex or has no inner points, the rows need more
            memory than allowed, or another argument is out of its range.

    Example:
        >>> import numpy as np, unrelu
        >>> basis = np.array([[2.0, 1.0], [1.0, 1.0]])
        >>> unrelu.decide(unrelu.ReLULayer(np.vstack([basis, -basis]))).verdict
        <Verdict.INJECTIVE: 'injective'>
        >>> unrelu.decide(unrelu.ReLULayer(basis)).verdict
        <Verdict.NOT_INJECTIVE: 'not injective'>
        >>> unrelu.decide(unrelu.ReLULayer(basis, [5.0, 5.0]), unrelu.Box(-1, 1)).verdict
        <Verdict.INJECTIVE: 'injective'>
    """
    if not 0 < time_limit < math.inf:
        raise ArgumentError(f"time_limit: expected a positive number of seconds, got {time_limit!r}")
    options = Options(time_limit, assume_general_position, n_jobs, whole_number("seed", seed, 0), progress)
    if isinstance(layer, ReLULayer):
        return decide_layer(layer, check_domain(domain), options)
    if isinstance(layer, Network):
        return decide_network(layer, check_domain(domain), options)
    raise ArgumentError(f"layer: expected a ReLULayer or a Network, got {type(layer).__name__}")
