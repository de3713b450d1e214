"""What an audit found: frozen dataclasses that every view (terminal, JSON, CSV, HTML) reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd


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


@dataclass(frozen=True)
class LayerAudit:
    """One ReLU layer ``y = relu(W x + b)``, ``W`` of shape ``(m, n)``, on the samples that reached it.

    Attributes:
        name: Name of the layer.
        node: Name of its ReLU node in the model.
        source: Activation that is its input.
        kind: How ``W`` is kept, such as ``"Dense"`` or ``"Convolution"``.
        in_shape: Shape of one input.
        out_shape: Shape of one output.
        m: Number of outputs.
        n: Number of inputs.
        rank: Rank of ``W``.
        rank_certified: Whether the rank is proved for the stored numbers, not only numerical.
        zero_rows: Rows of ``W`` that are zero.
        dead_rows: Rows that are inactive for every sample.
        duplicate_rows: Rows that are a positive multiple of an earlier row (bias left aside).
        antiparallel_rows: Rows that are a negative multiple of an earlier row (bias left aside).
        samples: Samples seen.
        active: Number of strictly active rows a sample.
        active_histogram: The same as a histogram.
        singleton: Share of samples whose preimage on R^n is the sample alone.
        undecided: Samples left undecided, for the reasons in ``notes``.
        tests: How many samples each test settled, by the test's name.
        input_norm: Euclidean norm of the layer's inputs, the scale of the radius.
        radius: Certified radius over samples with singleton preimage: within this Euclidean distance every
            input has a singleton preimage; ``None`` if there are none.
        reconstructed: Samples whose reconstruction was measured, evenly spread; the next three figures are
            over these.
        error: Relative reconstruction error ``||x - x*|| / ||x||`` over samples with singleton preimage.
        error_other: The same over all other samples (minimum-norm solution).
        condition: Condition number of the strictly active rows over samples with singleton preimage.
        examples: Samples shown in the report; only where the layer's input is the image data itself.
        seconds: Wall time spent on this layer.
        notes: What the reader should know about these figures.
    """

    name: str
    node: str
    source: str
    kind: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    m: int
    n: int
    rank: int | None
    rank_certified: bool
    zero_rows: int
    dead_rows: int
    duplicate_rows: int
    antiparallel_rows: int
    samples: int
    active: Quantiles
    active_histogram: Histogram
    singleton: Share
    undecided: int
    tests: Mapping[str, int]
    input_norm: Quantiles
    radius: Quantiles | None
    reconstructed: int
    error: Quantiles | None
    error_other: Quantiles | None
    condition: Quantiles | None
    examples: tuple[Example, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def redundancy(self) -> float:
        """The redundancy (expansivity) ``m / n``."""
        return self.m / self.n


@dataclass(frozen=True)
class SkippedNode:
    """A node of the model that no layer's figures cover, and why."""

    node: str
    operator: str
    reason: str


@dataclass(frozen=True)
class AuditResult:
    """Everything an audit found.

    Attributes:
        model: Where the model came from.
        data: Where the data came from.
        data_shape: Shape of one sample.
        samples: Samples asked for.
        layers: One entry a ReLU layer, in the order of evaluation.
        skipped: Nodes not analysed, with reasons.
        partial: Whether the audit was interrupted; the figures then cover the samples seen until then.
        seconds: Wall time.
        created: Date and time of the end of the audit, ISO 8601 in UTC.
        versions: Versions of unrelu and of the libraries that did the arithmetic.
        citation: The papers whose notions the figures use.
    """

    model: str
    data: str
    data_shape: tuple[int, ...]
    samples: int
    layers: tuple[LayerAudit, ...]
    skipped: tuple[SkippedNode, ...]
    partial: bool
    seconds: float
    created: str
    versions: Mapping[str, str] = field(default_factory=dict)
    citation: tuple[str, ...] = ()

    def to_json(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """Return the result as JSON of the versioned schema, and write it to ``path`` if there is one.

        Raises:
            OutputError: If the file cannot be written, or exists and ``force`` is false.
        """
        from unrelu.audit import _json

        return _json.to_json(self, path, force)

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """Return one CSV row a layer, and write them to ``path`` if there is one.

        Raises:
            OutputError: If the file cannot be written, or exists and ``force`` is false.
        """
        from unrelu.audit import _csv

        return _csv.to_csv(self, path, force)

    def to_html(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """Return one self-contained page, and write it to ``path`` if there is one.

        Raises:
            OutputError: If the file cannot be written, or exists and ``force`` is false.
        """
        from unrelu.audit import _html

        return _html.to_html(self, path, force)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a layer as a pandas data frame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        from unrelu.audit import _csv

        return _csv.to_frame(self)
