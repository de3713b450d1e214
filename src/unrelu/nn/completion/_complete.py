"""Injective completion of trained models (Puthawala et al. 2022, Corollary 1, read as a recipe)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from unrelu.arrays import Array, flatten_samples, to_tensor
from unrelu.certificates import certify_singletons
from unrelu.domains import Ball, Box, Domain, Orthant, Space
from unrelu.errors import ArgumentError, ModelError
from unrelu.injectivity import Verdict, decide
from unrelu.injectivity._layer import domain_record
from unrelu.layers import Dense, Skipped
from unrelu.layers.surgery import convolution_of, editable
from unrelu.nn.completion._convolution import plan_convolution
from unrelu.nn.completion._data import rows_for_data
from unrelu.nn.completion._dense import plan_dense
from unrelu.nn.completion._fewer import fewer_rows
from unrelu.nn.completion._plan import certified
from unrelu.nn.completion._result import CompletedLayer, Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers import Network, ReLULayer
    from unrelu.layers.surgery import Editable
    from unrelu.nn.completion._plan import Plan

_ENTRIES = 1 << 25  # of the matrix of a dense layer and its completion


def complete(
    model: Any,
    layers: Sequence[str] | str | None = None,
    *,
    example_input: Any = None,
    data: Array | None = None,
    domain: Domain | None = None,
    radius: float = 0.0,
    time_limit: float = 10.0,
) -> Completion:
    """Append rows to layers of a trained model until they are injective; predictions stay bit for bit.

    On R^n the rows of a basis of the row space get partners, ``-(w x + b)`` beside ``w x + b``, unless they
    have them already, and what the layer does not see at all gets pairs of its own: at most ``2 n - rank W``
    rows. On a box or a ball rows that are active everywhere take the place of pairs: at most ``n`` rows. For
    a convolution whole channels are appended. A layer that `unrelu.decide` proves injective gets none; for
    layers of up to 8 inputs rows are left out as long as it still does.

    With ``data`` the layers become injective at the data alone: each sample gets a singleton preimage, and so
    does everything within ``radius`` of it, by as many rows as the worst sample lacks dimensions: no
    completion can do with fewer. The certificate of each layer speaks of that layer's inputs at the data.

    The completed layer has its old rows first. What reads it reads these alone, by the same operations on the
    same numbers as before: the new rows have outgoing weights 0, which the traced network holds as such.

    Several layers are completed one after the other. A later one has all rows of the one before as inputs, so
    that the last completed layer's activations still tell the input.

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
        time_limit: Seconds for `unrelu.decide`, for each layer.

    Returns:
        The completed model, the way back, and a certificate for each layer.

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
    within = _checked(domain, radius, time_limit)
    given = editable(model, data[:1] if example_input is None and data is not None else example_input)
    subject = given
    samples = None if data is None else _samples(subject.network, data, within)
    done: list[CompletedLayer] = []
    skipped: list[Skipped] = []
    for position in _positions(subject.network, layers):
        try:
            if samples is None:
                place = within if not done or isinstance(within, Space) else Orthant()
                subject, completed = _on_domain(subject, position, place, time_limit)
            else:
                subject, completed = _at_data(subject, position, samples, radius)
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


def _checked(domain: Domain | None, radius: float, time_limit: float) -> Domain:
    """Return the domain, R^n for ``None``.

    Raises:
        ArgumentError: If it is of another kind than those of which rows can be active everywhere, or a number
            is out of its range.
    """
    if not 0 < time_limit < math.inf:
        raise ArgumentError(f"time_limit: expected a positive number of seconds, got {time_limit!r}")
    if not 0 <= radius < math.inf:
        raise ArgumentError(f"radius: expected a finite number of at least 0, got {radius!r}")
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


def _on_domain(
    subject: Editable, position: int, domain: Domain, time_limit: float
) -> tuple[Editable, CompletedLayer]:
    """Complete one layer of a model on a domain; one that is injective stays as it is."""
    layer = subject.network[position]
    decision = decide(layer, domain, time_limit=time_limit, assume_general_position=False)
    if decision.verdict == Verdict.INJECTIVE:
        return subject, CompletedLayer.of(layer, layer, None, domain, decision.certificate)
    plan = _plan(layer, domain)
    fewer = fewer_rows(layer, domain, plan.new)
    if fewer is not None:
        changed = subject.append(layer, fewer)
        completed = changed.network[position]
        decision = decide(completed, domain, time_limit=time_limit, assume_general_position=False)
        if decision.verdict == Verdict.INJECTIVE:
            return changed, CompletedLayer.of(layer, completed, fewer, domain, decision.certificate)
    changed = subject.append(layer, plan.new)
    completed = changed.network[position]
    proof = certified(plan, layer, completed, domain_record(domain, layer.n))
    if proof is None:
        raise ModelError(f"layer {layer.name!r}: rows were appended, but it is not proved to be injective")
    return changed, CompletedLayer.of(layer, completed, plan.new, domain, proof)


def _at_data(
    subject: Editable, position: int, samples: torch.Tensor, radius: float
) -> tuple[Editable, CompletedLayer]:
    """Complete one layer of a model at the samples of its input."""
    layer = subject.network[position]
    inputs = next(x for other, x in subject.network.walk(samples) if other is layer)
    new, reached = rows_for_data(layer, inputs, radius)
    changed = subject if new is None else subject.append(layer, new)
    completed = changed.network[position]
    proof = certify_singletons(completed.record(), inputs.double().cpu().numpy(), radius)
    return changed, CompletedLayer.of(layer, completed, new, Space(), proof, reached)


def _plan(layer: ReLULayer, domain: Domain) -> Plan:
    known = domain_record(domain, layer.n)
    convolution = convolution_of(layer.linear)
    if convolution is not None:
        return plan_convolution(layer, convolution[0], known)
    if len(layer.out_shape) > 1 and not isinstance(layer.linear, Dense):
        raise ModelError(f"layer {layer.name!r}: expected a dense layer or one convolution, got several maps")
    if layer.n * (layer.m + 2 * layer.n) > _ENTRIES:
        raise ModelError(
            f"layer {layer.name!r}: {layer.n} inputs are too many for a dense layer's completion"
        )
    return plan_dense(layer, known)
