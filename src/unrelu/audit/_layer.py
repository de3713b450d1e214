"""The running account of one layer while samples pass through it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu._statistics import clopper_pearson
from unrelu.audit._figures import (
    CollisionExample,
    Example,
    Histogram,
    InjectivityVerdict,
    Quantiles,
    Share,
)
from unrelu.audit._preimages import kinds_of
from unrelu.audit._result import LayerAudit
from unrelu.frames import Evidence, analyse_points, frame_of
from unrelu.inverse import invert
from unrelu.preimage import preimages

if TYPE_CHECKING:
    import torch

    from unrelu.frames import PointAnalysis
    from unrelu.layers import ReLULayer

_EXAMPLES = 6


@dataclass(frozen=True)
class _Batch:
    """What one batch of samples told; kept whole, so that an interrupt leaves nothing half-counted."""

    points: PointAnalysis
    norm: np.ndarray
    ever_active: np.ndarray
    numbers: np.ndarray
    kind: np.ndarray
    error: np.ndarray
    condition: np.ndarray
    originals: np.ndarray
    reconstructions: np.ndarray
    preimage: np.ndarray
    dimension: np.ndarray
    classified_active: np.ndarray
    linear_programs: int
    seconds: float


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
        self.batches: list[_Batch] = []

    @property
    def samples(self) -> int:
        """Samples seen so far."""
        return sum(len(batch.norm) for batch in self.batches)

    def add(self, inputs: torch.Tensor, chosen: np.ndarray, classified: np.ndarray, first: int) -> None:
        """Account for a batch.

        Args:
            inputs: The layer's inputs, shape ``(batch, n)``.
            chosen: Positions in the batch whose inputs are to be reconstructed.
            classified: Positions whose preimages are to be classified.
            first: Number of the first sample in the data.
        """
        start = time.perf_counter()
        points = analyse_points(self.layer, inputs, frame=self.frame)
        outputs = self.layer.apply(inputs)
        x = inputs[chosen]
        back = invert(self.layer, outputs[chosen], frame=self.frame)
        kinds = preimages(self.layer, inputs[classified], frame=self.frame)
        size = x.norm(dim=1).clamp(min=np.finfo(float).tiny)
        shown = slice(None) if self.data_shape else slice(0)
        self.batches.append(
            _Batch(
                points=points,
                norm=inputs.norm(dim=1).cpu().numpy(),
                ever_active=(outputs > 0).any(dim=0).cpu().numpy(),
                numbers=first + chosen,
                kind=points.singleton[chosen],
                error=((back.x - x).norm(dim=1) / size).cpu().numpy(),
                condition=back.condition.cpu().numpy(),
                originals=x[shown].cpu().numpy(),
                reconstructions=back.x[shown].cpu().numpy(),
                preimage=kinds.kinds,
                dimension=kinds.dimensions,
                classified_active=points.n_active[classified],
                linear_programs=kinds.n_lp,
                seconds=time.perf_counter() - start,
            )
        )

    def _joined(self, name: str) -> np.ndarray:
        """Return one figure over all batches; figures of points by their own name."""
        owners = [batch if hasattr(batch, name) else batch.points for batch in self.batches]
        return np.concatenate([getattr(owner, name) for owner in owners])

    def report(
        self,
        confidence: float,
        injectivity: InjectivityVerdict | None,
        collisions: tuple[CollisionExample, ...],
    ) -> LayerAudit:
        """Return what was found so far, with what was found beside the samples."""
        start = time.perf_counter()
        layer, frame = self.layer, self.frame
        low, high = frame.rank_bounds(np.arange(frame.m))
        rank = low if low == high else frame.numerical_rank(np.arange(frame.m))
        lines = frame.directions
        n_active, singleton = self._joined("n_active"), self._joined("singleton")
        error, kind = self._joined("error"), self._joined("kind")
        tests = Counter(map(str, self._joined("evidence")))
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
            dead_rows=int((~np.any([batch.ever_active for batch in self.batches], axis=0)).sum()),
            duplicate_rows=lines.duplicate_rows,
            antiparallel_rows=lines.antiparallel_rows,
            samples=len(n_active),
            active=Quantiles.of(n_active),
            active_histogram=Histogram.of(n_active),
            singleton=_share(int((singleton == 1).sum()), int((singleton >= 0).sum()), confidence),
            undecided=int((singleton < 0).sum()),
            tests=dict(sorted(tests.items())),
            input_norm=Quantiles.of(self._joined("norm")),
            radius=Quantiles.of_finite(self._joined("radius")[singleton == 1]),
            reconstructed=len(error),
            error=Quantiles.of_finite(error[kind == 1]),
            error_other=Quantiles.of_finite(error[kind != 1]),
            condition=Quantiles.of_finite(self._joined("condition")[kind == 1]),
            injectivity=injectivity,
            preimages=kinds_of(
                self._joined("preimage"),
                self._joined("dimension"),
                self._joined("classified_active"),
                sum(batch.linear_programs for batch in self.batches),
            ),
            collisions=collisions,
            examples=self._examples(error, kind) if self.data_shape else (),
            seconds=sum(batch.seconds for batch in self.batches) + time.perf_counter() - start,
            notes=self._notes(tests),
        )

    def _examples(self, error: np.ndarray, kind: np.ndarray) -> tuple[Example, ...]:
        """Return samples from the best to the worst reconstruction."""
        numbers = self._joined("numbers")
        originals, reconstructions = self._joined("originals"), self._joined("reconstructions")
        order = np.argsort(error, kind="stable")
        places = np.unique(np.linspace(0, len(order) - 1, _EXAMPLES).round().astype(int))
        return tuple(
            Example(
                int(numbers[k]),
                originals[k].reshape(self.data_shape),
                reconstructions[k].reshape(self.data_shape),
                int(kind[k]),
                float(error[k]),
            )
            for k in order[places[: len(order)]]
        )

    def _notes(self, tests: Counter[str]) -> tuple[str, ...]:
        reasons = {
            Evidence.BOUNDARY: "rows with pre-activation exactly 0 make the difference",
            Evidence.PRECISION: "active rows too close to dependent for the arithmetic spent on them",
        }
        notes = [f"undecided samples: {tests[e]} ({why})" for e, why in reasons.items() if tests[e]]
        if not self.layer.linear.exact:
            notes.append("W is the rounded product of several maps; the figures hold for this rounded matrix")
        return tuple(notes)


def _share(count: int, total: int, confidence: float) -> Share:
    return Share(count, total, *clopper_pearson(count, total, confidence), confidence)
