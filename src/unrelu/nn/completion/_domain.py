"""Completion of a layer on a whole domain (Puthawala et al. 2022, Corollary 1, read as a recipe)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unrelu.certificates import verify
from unrelu.errors import ModelError
from unrelu.injectivity import Verdict, decide
from unrelu.injectivity._layer import domain_record
from unrelu.layers import Dense
from unrelu.layers.surgery import appended, convolution_of
from unrelu.nn.completion._bases import DEPENDENT
from unrelu.nn.completion._condition import condition_of
from unrelu.nn.completion._convolution import plan_convolution
from unrelu.nn.completion._dense import plan_dense
from unrelu.nn.completion._fewer import fewer_rows
from unrelu.nn.completion._plan import structure
from unrelu.nn.completion._result import CompletedLayer

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.injectivity import Decision
    from unrelu.layers import ReLULayer
    from unrelu.layers.surgery import Editable, NewRows
    from unrelu.nn.completion._plan import Plan

_ENTRIES = 1 << 25  # of the matrix of a dense layer and its completion
_STRICTER = 4.0  # how much farther rows have to be from dependent, where they are not far enough


@dataclass(frozen=True)
class Wanted:
    """What a completed layer is to be.

    Attributes:
        domain: Where it is to be injective.
        condition: The largest factor, about, by which errors may grow on the way back.
        seconds: To decide a layer.
    """

    domain: Domain
    condition: float
    seconds: float

    def decide(self, layer: ReLULayer) -> Decision:
        """Decide a layer.

        Raises:
            KeyboardInterrupt: If Ctrl-C ended it.
        """
        found = decide(layer, self.domain, time_limit=self.seconds, assume_general_position=False)
        if found.interrupted:
            raise KeyboardInterrupt
        return found


def complete_on_domain(subject: Editable, position: int, wanted: Wanted) -> tuple[Editable, CompletedLayer]:
    """Complete one layer of a model; one that is injective, and well enough, stays as it is.

    Args:
        subject: The model.
        position: Of the layer.
        wanted: What it is to be.

    Returns:
        The model with rows appended, and what became of the layer.

    Raises:
        ModelError: If the layer cannot be completed.
    """
    layer = subject.network[position]
    found = _if_injective(layer, layer, None, wanted)
    if found is not None and not found.condition > wanted.condition:
        return subject, found
    plan = _plan(layer, wanted)
    fewer = fewer_rows(layer, wanted.domain, plan.new)
    if fewer is not None:
        changed = subject.append(layer, fewer)
        smaller = _if_injective(layer, changed.network[position], fewer, wanted)
        if smaller is not None and not smaller.condition > wanted.condition:
            return changed, smaller
    if found is not None and not plan.new.count:
        return subject, found
    return _with_all(subject, position, plan, wanted)


def _if_injective(
    layer: ReLULayer, completed: ReLULayer, new: NewRows | None, wanted: Wanted
) -> CompletedLayer | None:
    """Return what became of a layer with rows appended, if it is proved to be injective."""
    decision = wanted.decide(completed)
    if decision.verdict != Verdict.INJECTIVE:
        return None
    done = CompletedLayer.of(layer, completed, new, wanted.domain, decision.certificate)
    return replace(done, condition=condition_of(completed, wanted.domain, decision.certificate))


def _with_all(
    subject: Editable, position: int, plan: Plan, wanted: Wanted
) -> tuple[Editable, CompletedLayer]:
    """Append all rows of a plan, and prove that the layer is then injective."""
    layer = subject.network[position]
    changed = subject.append(layer, plan.new) if plan.new.count else subject
    completed = changed.network[position]
    proof = structure(plan, layer, completed, domain_record(wanted.domain, layer.n))
    if not verify(proof).valid:
        raise ModelError(f"layer {layer.name!r}: rows were appended, but it is not proved to be injective")
    done = CompletedLayer.of(layer, completed, plan.new, wanted.domain, proof)
    return changed, replace(done, condition=condition_of(completed, wanted.domain, proof))


def _plan(layer: ReLULayer, wanted: Wanted) -> Plan:
    """Plan rows; nearly dependent ones of a dense layer are replaced while errors would grow too much."""
    known = domain_record(wanted.domain, layer.n)
    convolution = convolution_of(layer.linear)
    if convolution is not None:
        return plan_convolution(layer, convolution[0], known)
    if len(layer.out_shape) > 1 and not isinstance(layer.linear, Dense):
        raise ModelError(f"layer {layer.name!r}: expected a dense layer or one convolution, got several maps")
    if layer.n * (layer.m + 2 * layer.n) > _ENTRIES:
        raise ModelError(
            f"layer {layer.name!r}: {layer.n} inputs are too many for a dense layer's completion"
        )
    least = max(DEPENDENT, 1 / wanted.condition)
    plans: list[tuple[float, Plan]] = []
    while not plans or (least < 1 and plans[-1][0] > wanted.condition):
        plan = plan_dense(layer, known, least)
        trial = appended(layer, plan.new)
        proof = structure(plan, layer, trial, known)
        plans.append((condition_of(trial, wanted.domain, proof), plan))
        least *= _STRICTER
    return min(plans, key=lambda entry: entry[0])[1]
