"""The running account of one layer while samples pass through it."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from unrelu.audit._result import Example, Histogram, LayerAudit, Quantiles, Share
from unrelu.frames import Evidence, analyse_points, frame_of
from unrelu.inverse import invert

if TYPE_CHECKING:
    import torch

    from unrelu.layers import ReLULayer

_BINS = 40
_EXAMPLES = 6


class LayerAccount:
    """Collects what an audit says of one layer."""

    def __init__(self, layer: ReLULayer, data_shape: tuple[int, ...] | None) -> None:
        """Prepare the layer's rows.

        Args:
            layer: The layer.
            data_shape: Shape in which its inputs can be shown, if they are the data themselves.

        Raises:
            ArgumentError: If the rows need more memory than allowed.
        """
        self.layer = layer
        self.data_shape = data_shape
        self.frame = frame_of(layer)
        self.seconds = 0.0
        self.ever_active = np.zeros(layer.m, dtype=bool)
        self.n_active: list[np.ndarray] = []
        self.singleton: list[np.ndarray] = []
        self.radius: list[np.ndarray] = []
        self.norm: list[np.ndarray] = []
        self.tests: Counter[str] = Counter()
        self.inverted: list[int] = []
        self.error: list[np.ndarray] = []
        self.kind: list[np.ndarray] = []
        self.condition: list[np.ndarray] = []
        self.originals: list[np.ndarray] = []
        self.reconstructions: list[np.ndarray] = []

    @property
    def samples(self) -> int:
        """Samples seen so far."""
        return sum(map(len, self.n_active))

    def add(self, inputs: torch.Tensor, chosen: np.ndarray, first: int) -> None:
        """Account for a batch.

        Args:
            inputs: The layer's inputs, shape ``(batch, n)``.
            chosen: Positions in the batch whose inputs are to be reconstructed.
            first: Number of the first sample in the data.
        """
        start = time.perf_counter()
        points = analyse_points(self.layer, inputs, frame=self.frame)
        outputs = self.layer.apply(inputs)
        if len(chosen):
            self._reconstruct(inputs[chosen], outputs[chosen], points.singleton[chosen], first + chosen)
        self.ever_active |= (outputs > 0).any(dim=0).cpu().numpy()
        self.n_active.append(points.n_active)
        self.singleton.append(points.singleton)
        self.radius.append(points.radius)
        self.norm.append(inputs.norm(dim=1).cpu().numpy())
        self.tests.update(map(str, points.evidence))
        self.seconds += time.perf_counter() - start

    def _reconstruct(
        self, x: torch.Tensor, y: torch.Tensor, singleton: np.ndarray, numbers: np.ndarray
    ) -> None:
        result = invert(self.layer, y, frame=self.frame)
        size = x.norm(dim=1).clamp(min=np.finfo(float).tiny)
        self.error.append(((result.x - x).norm(dim=1) / size).cpu().numpy())
        self.kind.append(singleton)
        self.condition.append(result.condition.cpu().numpy())
        self.inverted += numbers.tolist()
        if self.data_shape:
            self.originals.append(x.cpu().numpy())
            self.reconstructions.append(result.x.cpu().numpy())

    def report(self, confidence: float) -> LayerAudit:
        """Return what was found so far."""
        start = time.perf_counter()
        layer, frame = self.layer, self.frame
        low, high = frame.rank_bounds(np.arange(frame.m))
        rank = low if low == high else frame.numerical_rank(np.arange(frame.m))
        n_active = _joined(self.n_active, int)
        singleton = _joined(self.singleton, int)
        error, kind = _joined(self.error), _joined(self.kind, int)
        lines = frame.directions
        return LayerAudit(
            name=layer.name,
            node=layer.node,
            source=layer.source,
            kind=type(layer.linear).__name__,
            in_shape=layer.in_shape,
            out_shape=layer.out_shape,
            m=layer.m,
            n=layer.n,
            rank=rank if rank >= 0 else None,
            rank_certified=low == high,
            zero_rows=lines.zero_rows,
            dead_rows=int((~self.ever_active).sum()),
            duplicate_rows=lines.duplicate_rows,
            antiparallel_rows=lines.antiparallel_rows,
            samples=len(n_active),
            active=Quantiles.of(n_active),
            active_histogram=_histogram(n_active, layer.m),
            singleton=clopper_pearson(int((singleton == 1).sum()), int((singleton >= 0).sum()), confidence),
            undecided=int((singleton < 0).sum()),
            tests=dict(sorted(self.tests.items())),
            input_norm=Quantiles.of(_joined(self.norm)),
            radius=Quantiles.of_finite(_joined(self.radius)[singleton == 1]),
            reconstructed=len(error),
            error=Quantiles.of_finite(error[kind == 1]),
            error_other=Quantiles.of_finite(error[kind != 1]),
            condition=Quantiles.of_finite(_joined(self.condition)[kind == 1]),
            examples=self._examples(error, kind),
            seconds=self.seconds + time.perf_counter() - start,
            notes=self._notes(),
        )

    def _examples(self, error: np.ndarray, kind: np.ndarray) -> tuple[Example, ...]:
        """Return samples from the best to the worst reconstruction."""
        if not self.data_shape or not self.originals:
            return ()
        originals, reconstructions = np.concatenate(self.originals), np.concatenate(self.reconstructions)
        order = np.argsort(error, kind="stable")
        picked = order[np.unique(np.linspace(0, len(order) - 1, _EXAMPLES).round().astype(int))]
        return tuple(
            Example(
                self.inverted[k],
                originals[k].reshape(self.data_shape),
                reconstructions[k].reshape(self.data_shape),
                int(kind[k]),
                float(error[k]),
            )
            for k in picked
        )

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.tests[Evidence.BOUNDARY]:
            notes.append(
                f"{self.tests[Evidence.BOUNDARY]} samples are undecided: "
                "rows with pre-activation exactly 0 make the difference"
            )
        if self.tests[Evidence.PRECISION]:
            notes.append(
                f"{self.tests[Evidence.PRECISION]} samples are undecided: "
                "their active rows are too close to dependent for the arithmetic spent on them"
            )
        if not self.layer.linear.exact:
            notes.append("W is the rounded product of several maps; the figures hold for this rounded matrix")
        return tuple(notes)


def clopper_pearson(count: int, total: int, confidence: float) -> Share:
    """Return a share with the exact interval of Clopper and Pearson (1934).

    Args:
        count: Successes.
        total: Trials.
        confidence: Coverage, at least.
    """
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, total - count)) if count < total else 1.0
    return Share(count, total, low, high, confidence)


def _joined(parts: list[np.ndarray], kind: type = float) -> np.ndarray:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, dtype=kind)


def _histogram(values: np.ndarray, m: int) -> Histogram:
    """Count in bins of whole numbers between the extremes."""
    low, high = int(values.min()), int(values.max())
    width = max(1, -(-(high - low + 1) // _BINS))
    edges = np.arange(low, high + width + 1, width) - 0.5
    counts, _ = np.histogram(values, edges)
    return Histogram(tuple(float(e) for e in edges), tuple(int(c) for c in counts))
