"""Rows of a completion that a small layer can do without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import StructureCertificate
from unrelu.injectivity import Verdict, decide
from unrelu.layers.surgery import appended
from unrelu.nn.completion._bases import independent_rows, unit_rows

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.layers import ReLULayer
    from unrelu.layers.surgery import NewRows

_COLUMNS = 8  # up to which a search tree takes milliseconds
_SECONDS = 1.0  # for one: if it takes longer the row stays


def fewer_rows(layer: ReLULayer, domain: Domain, new: NewRows) -> NewRows | None:
    """Leave out rows, one after the other, as long as the layer is still proved injective.

    Pairs of new rows stay: they are there for directions that no row of the layer sees.

    Args:
        layer: A layer.
        domain: The domain.
        new: Rows that complete it.

    Returns:
        A part of the rows, of which none can be left out; ``None`` where all are needed, or the layer has
        more than 8 inputs.
    """
    if layer.n > _COLUMNS or new.of_channels:
        return None
    kept = new
    for row in new.partners.tolist():
        partners = kept.partners[kept.partners != row]
        kept = _if_injective(layer, domain, replace(kept, partners=partners)) or kept
    for row in range(len(new.weight) - 1, new.pairs - 1, -1):
        rest = np.delete(np.arange(len(kept.weight)), row)
        trial = replace(kept, weight=kept.weight[rest], bias=kept.bias[rest])
        kept = _if_injective(layer, domain, trial) or kept
    return None if kept is new else kept


def _if_injective(layer: ReLULayer, domain: Domain, new: NewRows) -> NewRows | None:
    trial = appended(layer, new)
    decision = decide(trial, domain, time_limit=_SECONDS, assume_general_position=False)
    if decision.verdict != Verdict.INJECTIVE:
        return None
    proof = decision.certificate
    if isinstance(proof, StructureCertificate) and not proof.blocks:
        # Rows that span by their rounding alone would give no way back.
        chosen = trial.rows(np.concatenate([proof.pairs[:, 0], proof.always])).cpu().numpy()
        (kept,) = independent_rows(unit_rows(chosen), [np.arange(len(chosen))])
        return new if len(kept) == layer.n else None
    return new
