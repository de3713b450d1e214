"""What an audit found: frozen dataclasses that every view (terminal, JSON, CSV, HTML) reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unrelu.audit._figures import (
    CollisionExample,
    Example,
    Histogram,
    InjectivityVerdict,
    LipschitzFigures,
    PreimageKinds,
    Quantiles,
    Share,
    SpectrumFigures,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd


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
        noisy_samples: Samples of these with singleton preimage over which the next figure is, evenly spread.
        error_noisy: Root mean square of ``||x - x*|| / ||x||`` to be expected where the outputs carry normal
            noise of 1 % of their root mean square, to a tenth or two.
        injectivity: Whether the layer is injective on all of R^n, samples or not; ``None`` if not asked.
        preimages: Kinds of the samples' preimages against active rows; ``None`` if none were classified.
        collisions: Other inputs with the same outputs; only where the layer's input is the data itself.
        lipschitz: Lipschitz constants of the layer and of the way back, on R^n; ``None`` for convolutions and
            where the layer is large.
        spectrum: Singular values of the linearisation from the data up to the layer; ``None`` where all of
            them would take too long.
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
    noisy_samples: int = 0
    error_noisy: Quantiles | None = None
    injectivity: InjectivityVerdict | None = None
    preimages: PreimageKinds | None = None
    collisions: tuple[CollisionExample, ...] = ()
    lipschitz: LipschitzFigures | None = None
    spectrum: SpectrumFigures | None = None
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
