"""The probability that a Gaussian layer is injective, from samples that are decided one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu._checks import probability, whole_number
from unrelu._progress import progress_bar
from unrelu._statistics import clopper_pearson
from unrelu.errors import ArgumentError
from unrelu.injectivity._verdict import Verdict
from unrelu.layers import ReLULayer

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class InjectivityEstimate:
    """What samples tell about ``I(m, n)``, the probability that a Gaussian layer is injective.

    Attributes:
        m: Rows.
        n: Columns.
        injective: Samples proved injective.
        not_injective: Samples proved not injective.
        unknown: Samples left undecided.
        confidence: With which ``I(m, n)`` lies between the bounds, at least.
        lower: Lower bound, where all undecided samples count as not injective (Clopper and Pearson 1934).
        upper: Upper bound, where they count as injective.
    """

    m: int
    n: int
    injective: int
    not_injective: int
    unknown: int
    confidence: float
    lower: float
    upper: float

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.injective + self.not_injective + self.unknown


def injectivity_probability(
    m: int,
    n: int,
    samples: int,
    generator: torch.Generator,
    *,
    decide: Callable[[ReLULayer], Verdict],
    confidence: float = 0.95,
    progress: bool = False,
) -> InjectivityEstimate:
    """Estimate ``I(m, n)``, the probability that ``relu(W x)`` is injective for standard normal ``W``.

    Args:
        m: Rows.
        n: Columns.
        samples: Number of matrices.
        generator: Source of randomness.
        decide: Tells whether a layer is injective on R^n, or that it does not know.
        confidence: Of the interval.
        progress: Whether to show a progress bar.

    Returns:
        The counts and an interval.

    Raises:
        ArgumentError: If an argument is out of its range.

    Example:
        >>> import torch, unrelu
        >>> from unrelu.injectivity.random_matrices import injectivity_probability
        >>> estimate = injectivity_probability(
        ...     5, 3, 20, torch.Generator().manual_seed(0), decide=lambda layer: unrelu.decide(layer).verdict
        ... )
        >>> estimate.not_injective, estimate.lower
        (20, 0.0)
    """
    m, n, samples = whole_number("m", m), whole_number("n", n), whole_number("samples", samples)
    confidence = probability("confidence", confidence)
    if not isinstance(generator, torch.Generator):
        raise ArgumentError(f"generator: expected a torch.Generator, got {generator!r}")
    verdicts = []
    with progress_bar(progress) as bar:
        steps = range(samples) if bar is None else bar.track(range(samples), description=f"{m} x {n}")
        for _ in steps:
            weight = torch.randn(m, n, generator=generator, dtype=torch.float64, device=generator.device)
            verdicts.append(decide(ReLULayer(weight)))
    injective, refuted = verdicts.count(Verdict.INJECTIVE), verdicts.count(Verdict.NOT_INJECTIVE)
    unknown = samples - injective - refuted
    lower, _ = clopper_pearson(injective, samples, confidence)
    _, upper = clopper_pearson(injective + unknown, samples, confidence)
    return InjectivityEstimate(m, n, injective, refuted, unknown, confidence, lower, upper)
