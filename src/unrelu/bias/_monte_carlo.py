"""Monte Carlo bias estimation (MCBE): Eckert et al. 2024, Theorem 3.1 and Algorithm 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from joblib import cpu_count

from unrelu._checks import probability, whole_number
from unrelu._progress import progress_bar
from unrelu.arrays import like
from unrelu.bias import _distributed as distributed
from unrelu.bias._general_position import criterion
from unrelu.bias._inputs import plan
from unrelu.bias._minimum import RunningMinimum
from unrelu.bias._pass import Searcher, one_thread_each
from unrelu.bias._result import BiasEstimate
from unrelu.bias._scenario import a_posteriori_epsilon, a_priori_epsilon, patience_epsilon
from unrelu.bias._sweep import Outcome, sweep
from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from unrelu.bias._inputs import Plan
    from unrelu.layers import ReLULayer


def estimate_bias(
    layer: ReLULayer,
    data: Any,
    noise_std: float = 0.0,
    n_samples: int | None = None,
    patience: int | None = None,
    confidence: float = 0.99,
    *,
    seed: int = 0,
    assume_general_position: bool | None = None,
    chunk_bytes: int | None = None,
    n_jobs: int = -1,
    progress: bool = False,
) -> BiasEstimate:
    r"""Estimate the largest bias under which the active rows span at every input of a distribution.

    .. math:: \alpha^*_j = \min \{(W x_i)_j : i \le N,\ (W x_i)_j \ge \tau(x_i)\}

    with :math:`\tau(x)` the largest threshold above or at which the entries of :math:`W x` belong to rows
    that span: in general position, the n-th largest entry. The layer's own bias plays no part.

    Data are used once each, in their order, if there is no noise, ``n_samples`` or ``patience``. Otherwise
    samples are drawn from them with replacement and get noise (randomised smoothing), as many as there are
    data and at least 10,000 where no number is given. Under ``torch.distributed`` all ranks make this call
    with the same arguments, share the samples, and get the answer that one rank would have given. A single
    process that is interrupted (Ctrl-C) answers with the samples so far, marked partial.

    Args:
        layer: A layer with ``m >= n``. One in float32 is sampled in float32.
        data: Inputs of shape ``(N, n)`` or ``(N, *in_shape)``, a `Dataset`, a `Smoothed`, or a bounded domain
            to sample uniformly: `Ball`, `Sphere`, `Shell`, `Box`.
        noise_std: Standard deviation of the Gaussian noise in each coordinate.
        n_samples: Number of samples; with ``patience``, at most.
        patience: Stop as soon as so many samples in a row have not lowered the estimate.
        confidence: Probability, over the samples, with which ``epsilon`` holds.
        seed: Of the random samples. They depend on it, on ``n`` and on the dtype and kind of device.
        assume_general_position: Count rows instead of proving their rank, which takes a factorisation or more
            a sample. ``None`` counts where the layer is dense and has no structure (zeros, repeated or
            parallel rows) by which ``n`` rows are dependent; so convolutions are proved.
        chunk_bytes: Memory for the products that a thread works on; what fits the cache if ``None``. It may
            change products in their last digit.
        n_jobs: Threads, as in joblib; one where the layer is not on the CPU.
        progress: Show a progress bar on standard error.

    Returns:
        The estimate and what the samples prove of it; numpy arrays, or tensors on the data's device.

    Raises:
        ArgumentError: If ``m < n`` or all rows together do not span; if data are empty, not finite or of
            another shape, or a domain is unbounded or has neither ``n_samples`` nor ``patience``; if a number
            is out of its range, or ``patience`` is longer than the samples there are.

    Example:
        >>> import numpy as np
        >>> from unrelu import ReLULayer, Sphere, estimate_bias
        >>> tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
        >>> estimate = estimate_bias(ReLULayer(tetrahedron), Sphere(), n_samples=20_000)
        >>> estimate.alpha.round(2)  # the largest bias is -1 / sqrt(3)
        array([-0.57, -0.58, -0.58, -0.58])
        >>> print(f"{estimate.epsilon:.1e}")  # a fresh sample lowers it no more often, with confidence 0.99
        7.5e-04
    """
    confidence = probability("confidence", confidence)
    work = plan(layer, data, noise_std, n_samples, patience, seed)
    with one_thread_each():
        way = criterion(layer, assume_general_position)
        outcome = _outcome(work, Searcher(work, way, _size(chunk_bytes), _threads(n_jobs)), progress)
    support = torch.from_numpy(outcome.support)
    n_support = len(np.unique(outcome.support[outcome.support >= 0]))
    epsilon, prior = _epsilon(work, outcome, n_support, 1 - confidence)
    return BiasEstimate(
        alpha=like(torch.from_numpy(outcome.alpha), work.given),
        support=like(support, work.given),
        n_samples=outcome.seen,
        n_support=n_support,
        n_changes=outcome.changes,
        epsilon=epsilon,
        epsilon_prior=prior,
        confidence=confidence,
        converged=outcome.converged,
        partial=outcome.partial,
        test=way.test,
        patience=work.patience,
        noise_std=work.noise_std,
        seed=work.seed,
    )


def _outcome(work: Plan, searcher: Searcher, progress: bool) -> Outcome:
    """Take the samples, alone or together with other ranks."""
    rank, size = distributed.rank_and_size()
    alpha = torch.full((work.linear.m,), torch.inf, dtype=work.linear.dtype).numpy()
    with progress_bar(progress and rank == 0) as bar:
        task = bar and bar.add_task("estimate_bias", total=work.limit)

        def tell(samples: int) -> None:
            if bar:
                bar.update(task, completed=samples)

        if size > 1 and work.patience is None and work.limit is not None:
            return distributed.fixed_number(searcher, alpha, work.limit, tell)
        take = distributed.with_patience if size > 1 else sweep
        return take(searcher, RunningMinimum(alpha, work.patience), work.limit, tell)


def _epsilon(work: Plan, outcome: Outcome, n_support: int, beta: float) -> tuple[float, float | None]:
    """Return what the samples prove, and what was known beforehand.

    Where either patience or the number of samples may end it, each statement gets half of ``beta``.
    """
    if work.patience is not None and work.limit is not None:
        beta /= 2
    prior = None if work.limit is None else a_priori_epsilon(work.limit, work.linear.m, beta)
    if work.patience is not None and outcome.converged:
        return patience_epsilon(work.patience, outcome.changes, beta), prior
    return a_posteriori_epsilon(outcome.seen, n_support, beta), prior


def _threads(n_jobs: int) -> int:
    if not isinstance(n_jobs, int | np.integer) or not n_jobs:
        raise ArgumentError(f"n_jobs: expected a whole number other than 0, got {n_jobs!r}")
    return int(n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs))


def _size(chunk_bytes: int | None) -> int | None:
    return None if chunk_bytes is None else whole_number("chunk_bytes", chunk_bytes)
