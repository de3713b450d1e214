"""What is appended to a layer, and why the layer is then injective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import StructureCertificate

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord
    from unrelu.layers import ReLULayer
    from unrelu.layers.surgery import NewRows


@dataclass(frozen=True, eq=False)
class Plan:
    """Rows to append, and rows that the layer has, which together span R^n at every point of a domain.

    Attributes:
        new: What is appended; the rows in ``partners`` span together with what follows.
        pairs: Opposite rows that the layer has, shape ``(k, 2)``.
        always: Rows of the layer that are weakly active on the whole domain.
    """

    new: NewRows
    pairs: np.ndarray
    always: np.ndarray


def structure(
    plan: Plan, layer: ReLULayer, completed: ReLULayer, domain: DomainRecord
) -> StructureCertificate:
    """Return why a completed layer is injective; it is still to be verified.

    Args:
        plan: What was appended.
        layer: The layer before.
        completed: The layer with the rows appended, as it was read from the completed model.
        domain: The domain.
    """
    places = layer.m // layer.out_shape[0] if plan.new.of_channels else 1
    new, first = plan.new, layer.m
    partners = _rows(new.partners, places)
    pairs = [plan.pairs, np.column_stack([partners, first + np.arange(len(partners))])]
    first += len(partners)
    count, mirrored = len(new.weight) * places, new.pairs * places
    pairs.append(np.column_stack([first + np.arange(mirrored), first + count + np.arange(mirrored)]))
    always = np.concatenate([plan.always, first + np.arange(mirrored, count)])
    return StructureCertificate(completed.record(), domain, np.concatenate(pairs), always)


def _rows(channels: np.ndarray, places: int) -> np.ndarray:
    return (channels[:, None] * places + np.arange(places)).reshape(-1)
