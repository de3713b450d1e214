"""The answer of a Monte Carlo bias estimation."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unrelu.arrays import Array


class SpanTest(StrEnum):
    """How it was told whether the rows above a threshold span R^n."""

    COUNT = "count"  # there are n of them, taken to be in general position
    RANK = "rank"  # their rank is proved to be n


@dataclass(frozen=True, eq=False)
class BiasEstimate:
    """The largest bias under which every sample has spanning active rows, and what this says of others.

    With ``b = -alpha``, or with any larger bias ``b``, the weakly active rows of every sample span R^n.

    Attributes:
        alpha: The estimate ``alpha*``, shape ``(m,)``; ``alpha_j`` is to be subtracted from ``(W x)_j``, and
            is infinite where no sample needed row ``j``.
        support: Number, from 0, of the first sample that attains ``alpha_j``, shape ``(m,)``; -1 for none.
        n_samples: Samples drawn until the estimate stopped.
        n_support: Number of different samples in ``support``.
        n_changes: Number of samples that lowered the estimate when they came.
        epsilon: With ``confidence``, a fresh sample lowers ``alpha`` with at most this probability. It speaks
            of the distribution that the samples are independent draws from: of the noisy data where noise was
            added, of what the data were drawn from where they were used themselves.
        epsilon_prior: The same as known before the first sample; ``None`` where patience alone decides. It is
            smaller than ``epsilon`` only where nearly every row has a support sample of its own.
        confidence: Probability with which the statement holds.
        converged: Whether it stopped because ``patience`` samples in a row had not lowered ``alpha``.
        partial: Whether it was interrupted.
        test: How spanning was told: ``"count"``, right in general position, or ``"rank"``, proved.
        patience: Samples without change after which to stop; ``None`` for a fixed number of samples.
        noise_std: Standard deviation of the noise added to the data, 0 for none and for domains.
        seed: Seed of the random samples; with it, the layer and the data, all of this can be had again.
    """

    alpha: Array
    support: Array = field(repr=False)
    n_samples: int
    n_support: int
    n_changes: int
    epsilon: float
    epsilon_prior: float | None
    confidence: float
    converged: bool
    partial: bool
    test: SpanTest
    patience: int | None
    noise_std: float
    seed: int
