"""Injective completion of trained models (Puthawala et al. 2022, Corollary 1, read as a recipe)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from unrelu.arrays import Array, flatten_samples, to_tensor
from unrelu.domains import Ball, Box, Domain, Orthant, Space
from unrelu.errors import ArgumentError, ModelError
from unrelu.layers import Skipped
from unrelu.layers.surgery import editable
from unrelu.nn.completion._data import rows_for_data
from unrelu.nn.completion._domain import Wanted, complete_on_domain
from unrelu.nn.completion._points import PointsProof, deadline_after
from unrelu.nn.completion._result import CompletedLayer, Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers import Network
    from unrelu.layers.surgery import Editable

_SECONDS = 10.0  # to decide a layer, if no other limit is given


def complete(
    model: Any,
    layers: Sequence[str] | str | None = None,
    *,
    example_input: Any = None,
    data: Array | None = None,
    domain: Domain | None = None,
    radius: float = 0.0,
    condition: float = 1e7,
    time_limit: float | None = None,
    progress: bool = False,
) -> Completion:
    """Append rows to layers of a trained model until they are injective; predictions stay bit for bit.

    On R^n the rows of a basis of the row space get partners, ``-(w x + b)`` beside ``w x + b``, unless they
    have them already, and what the layer does not see at all gets pairs of its own: at most ``2 n - rank W``
    rows. On a box or a ball rows that are active everywhere take the place of pairs: at most ``n`` rows. For
    a convolution whole channels are appended. A layer that `unrelu.decide` proves injective gets none, unless
    it is so by its last digits alone; for up to 8 inputs rows are left out as long as it still does.

    With ``data`` the layers become injective at the data alone: each sample gets a singleton preimage, and so
    does everything within ``radius`` of it, by as many rows as the worst sample lacks dimensions: no
    completion can do with fewer. The certificate of each layer speaks of that layer's inputs at the data.

    The completed layer has its old rows first. What reads it reads these alone, by the same operations on the
    same numbers as before: the new rows have outgoing weights 0, which the traced network holds as such.

    Several layers are completed one after the other. A later one has all rows of the one before as inputs, so
    that the last completed layer's activations still tell the input: see `Completion.encoder`.

    Args:
        model: An ``nn.Module`` that `torch.fx` can take the graph of, the path of an ``.onnx`` file, a
            `Network` or a `ReLULayer`; it is left as it is.
        layers: Names as in `unrelu.trace`; ``None`` for every layer that is dense or convolutional.
        example_input: One batch of inputs, for a module.
        data: Samples of the network's input, shape ``(N, *input_shape)``.
        domain: Where the inputs of the layer may lie: R^n when ``None``, else a `Box`, `Orthant` or `Ball`.
            Of several layers it is meant for the first; inputs of later ones are then taken to be at least 0.
            Data must lie in it.
        radius: With data: Euclidean, in the units of each layer's inputs.
        condition: On a domain: how many times larger than those of the activations relative errors of the
            input may be, about, rows taken at norm 1; see `CompletedLayer.condition`. An injective layer
            beyond it is completed, and dense layers get rows of their own in place of partners as long as
            these are nearly dependent.
        time_limit: Seconds for each layer: for `unrelu.decide`, 10 when ``None``; with data for the
            certificate, as many as it takes when ``None``. What is not proved by then has no certificate.
        progress: Whether to show on standard error how many samples have been proved.

    Returns:
        The completed model, the way back, and a certificate for each layer. Ctrl-C while a certificate at
        data is made leaves that layer without one, and later ones as they are.

    Raises:
        ArgumentError: If the model or the domain is of another kind, a layer is not there, or an argument is
            out of its range.
        ModelError: If the model cannot be read, or a layer that was named cannot be completed; the message
            says why.

    Example:
        >>> import torch, unrelu
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        >>> x = torch.randn(5, 3)
        >>> done = unrelu.nn.complete(model, example_input=x[:1])
        >>> done.layers[0].added, bool((done.model(x) == model(x)).all())
        (4, True)
        >>> unrelu.decide(unrelu.trace(done.model, x[:1])["0"]).verdict
        <Verdict.INJECTIVE: 'injective'>
    """
    within = _checked(domain, radius, condition, time_limit)
    given = editable(model, data[:1] if example_input is None and data is not None else example_input)
    subject = given
    samples = None if data is None else _samples(subject.network, data, within)
    done: list[CompletedLayer] = []
    skipped: list[Skipped] = []
    for position in _positions(subject.network, layers):
        if done and done[-1].interrupted:
            skipped.append(Skipped(subject.network[position].node, "ReLU", "interrupted before this layer"))
            continue
        try:
            if samples is None:
                place = within if not done or isinstance(within, Space) else Orthant()
                wanted = Wanted(place, condition, time_limit or _SECONDS)
                subject, completed = complete_on_domain(subject, position, wanted)
            else:
                deadline = deadline_after(time_limit)
                subject, completed = _at_data(subject, position, samples, radius, deadline, progress)
        except ModelError as error:
            if layers is not None:
                raise
            skipped.append(Skipped(subject.network[position].node, "ReLU", str(error)))
        else:
            done.append(completed)
    if not done:
        reasons = "; ".join(entry.reason for entry in skipped)
        raise ModelError(f"{subject.network.origin}: no layer can be completed: {reasons}")
    return Completion(given, subject, tuple(done), tuple(skipped))


def _checked(domain: Domain | None, radius: float, condition: float, time_limit: float | None) -> Domain:
    """Return the domain, R^n for ``None``.

    Raises:
        ArgumentError: If it is of another kind than those of which rows can be active everywhere, or a number
            is out of its range.
    """
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise ArgumentError(f"time_limit: expected a positive number of seconds, got {time_limit!r}")
    if not 0 <= radius < math.inf:
        raise ArgumentError(f"radius: expected a finite number of at least 0, got {radius!r}")
    if not condition > 1:
        raise ArgumentError(f"condition: expected a number above 1, got {condition!r}")
    if domain is not None and not isinstance(domain, Space | Box | Orthant | Ball):
        raise ArgumentError(f"domain: expected Space, Box, Orthant or Ball, got {domain!r}")
    return Space() if domain is None else domain


def _samples(network: Network, data: Array, domain: Domain) -> torch.Tensor:
    """Return samples of a network's input, flat.

    Raises:
        ArgumentError: If there are none, they do not fit, or one lies outside of the domain.
    """
    samples, _, _ = flatten_samples(to_tensor(data, "data", device="cpu"), network.input_shape, "data")
    if not len(samples):
        raise ArgumentError("data: expected at least one sample, got none")
    outside = torch.nonzero(~domain.contains(samples))[:, 0]
    if len(outside):
        raise ArgumentError(f"data: sample {int(outside[0])} lies outside of the domain {domain!r}")
    return samples


def _positions(network: Network, layers: Sequence[str] | str | None) -> list[int]:
    """Return the positions of layers in their network, in order."""
    if layers is None:
        return list(range(len(network)))
    names = [layers] if isinstance(layers, str) else list(layers)
    order = list(network)
    try:
        positions = [order.index(network[name].name) for name in names]
    except KeyError as error:
        raise ArgumentError(f"layers: {error.args[0]}") from None
    if not names or len(set(positions)) < len(names):
        raise ArgumentError(f"layers: expected different names, at least one, got {names}")
    return sorted(positions)


def _at_data(
    subject: Editable,
    position: int,
    samples: torch.Tensor,
    radius: float,
    deadline: float,
    progress: bool,
) -> tuple[Editable, CompletedLayer]:
    """Complete one layer of a model at the samples of its input."""
    layer = subject.network[position]
    inputs = next(x for other, x in subject.network.walk(samples) if other is layer)
    new, reached = rows_for_data(layer, inputs, radius)
    changed = subject if new is None else subject.append(layer, new)
    completed = changed.network[position]
    proof = PointsProof(completed, inputs, radius)
    proof.search(deadline, progress)
    done = CompletedLayer.of(layer, completed, new, Space(), proof.certificate, reached)
    return changed, replace(done, reason=proof.reason, interrupted=proof.interrupted)
