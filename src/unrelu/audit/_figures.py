"""The parts of an audit's result: summaries over samples, and samples to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unrelu.stability import Interval

_BINS = 40  # of a histogram, at most


@dataclass(frozen=True)
class Quantiles:
    """Five-number summary of a figure over samples: minimum, 5 %, median, 95 % and maximum."""

    minimum: float
    low: float
    median: float
    high: float
    maximum: float

    @classmethod
    def of(cls, values: np.ndarray) -> Quantiles:
        """Summarise ``values``, at least one and all finite."""
        return cls(*(float(q) for q in np.quantile(values, [0, 0.05, 0.5, 0.95, 1])))

    @classmethod
    def of_finite(cls, values: np.ndarray) -> Quantiles | None:
        """Summarise the finite entries of ``values``; ``None`` if there are none."""
        finite = values[np.isfinite(values)]
        return cls.of(finite) if finite.size else None


@dataclass(frozen=True)
class Share:
    """A share of samples with its Clopper-Pearson interval.

    Attributes:
        count: Samples with the property.
        total: All samples that were decided.
        low: Lower end of the interval.
        high: Upper end of the interval.
        confidence: Coverage of the interval.
    """

    count: int
    total: int
    low: float
    high: float
    confidence: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.count / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Histogram:
    """Counts of samples between edges; ``len(edges) = len(counts) + 1``."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> Histogram:
        """Count whole numbers, at least one, in bins of one width between the extremes."""
        low, high = int(values.min()), int(values.max())
        width = max(1, -(-(high - low + 1) // _BINS))
        edges = np.arange(low, high + width + 1, width) - 0.5
        counts, _ = np.histogram(values, edges)
        return cls(tuple(float(e) for e in edges), tuple(int(c) for c in counts))


@dataclass(frozen=True)
class Example:
    """One sample with what the layer's output gives back of it, both in the data's shape.

    Attributes:
        index: Number of the sample in the data.
        original: The input, shape as the data.
        reconstruction: Least-squares (minimum-norm) solution from the strictly active rows.
        singleton: 1 if the preimage is proved to be the original alone, 0 if it is not, -1 if undecided.
        relative_error: ``||x - x*|| / ||x||``.
    """

    index: int
    original: np.ndarray
    reconstruction: np.ndarray
    singleton: int
    relative_error: float


KINDS = ("singleton", "bounded", "unbounded", "undecided")


@dataclass(frozen=True)
class PreimageKinds:
    """Kinds of preimages, on all of R^n, of samples' activations.

    Attributes:
        samples: Samples classified, evenly spread.
        edges: Edges of bins of the number of strictly active rows.
        counts: For each of `KINDS` the samples in each bin.
        dimension: Affine dimension of the preimages that are proved to be no singleton.
        linear_programs: Samples that needed a linear program.
    """

    samples: int
    edges: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]
    dimension: Quantiles | None
    linear_programs: int


@dataclass(frozen=True)
class CollisionExample:
    """Another input with the same output as a sample, all in the data's shape.

    Attributes:
        index: Number of the sample in the data.
        target_index: Number of the sample that the new input should resemble; ``None`` where there is none.
        original: The sample.
        other: The new input, within the range of the data.
        target: What it should resemble.
        distance: Euclidean distance of the new input to the sample.
        target_distance: To the target.
        output_difference: Largest difference of outputs, relative to the largest output.
    """

    index: int
    target_index: int | None
    original: np.ndarray
    other: np.ndarray
    target: np.ndarray | None
    distance: float
    target_distance: float | None
    output_difference: float


@dataclass(frozen=True)
class LipschitzFigures:
    """How much a layer stretches and shrinks distances on R^n, in intervals; see `unrelu.lipschitz`.

    Attributes:
        upper: The largest ``|f(x) - f(y)| / |x - y|``.
        lower: The smallest; its inverse is the Lipschitz constant of the way back.
        condition: ``upper / lower``; ends are infinite where the layer may not be injective.
        points: Inputs of the layer, evenly spread, whose linear regions narrowed the intervals.
        complete: Whether both searches came to their end; if not, the intervals hold all the same.
    """

    upper: Interval
    lower: Interval
    condition: Interval
    points: int
    complete: bool


@dataclass(frozen=True)
class SingularValues:
    """Medians over samples of the singular values of a linearisation.

    Attributes:
        rank: How many are not 0.
        largest: The largest; ``None`` where all are 0, as for the next two.
        smallest: The smallest that is not 0.
        condition: Largest by smallest that is not 0.
        numbers: Numbers, from 1, of some values that are not 0, evenly spread.
        values: These values, descending.
    """

    rank: float
    largest: float | None
    smallest: float | None
    condition: float | None
    numbers: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class SpectrumFigures:
    """Singular values of the linearisation from the data up to a layer; see `unrelu.spectrum`.

    Attributes:
        samples: Samples, evenly spread.
        directions: Entries of an input of the network.
        before: Before the layer's ReLU.
        after: After it.
    """

    samples: int
    directions: int
    before: SingularValues
    after: SingularValues


@dataclass(frozen=True)
class InjectivityVerdict:
    """Whether a layer is injective on all of R^n.

    Attributes:
        verdict: ``"injective"``, ``"not injective"`` or ``"unknown"``.
        grade: How far the proof goes, see `unrelu.decide`; empty where unknown.
        reason: Why, in a sentence.
    """

    verdict: str
    grade: str
    reason: str
