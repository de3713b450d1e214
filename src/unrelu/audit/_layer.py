"""The running account of one layer while samples pass through it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu._statistics import clopper_pearson
from unrelu.audit._figures import (
    CollisionExample,
    Example,
    Histogram,
    InjectivityVerdict,
    LipschitzFigures,
    Quantiles,
    Share,
    SpectrumFigures,
)
from unrelu.audit._noise import NOISE, RelativeNoise
from unrelu.audit._preimages import kinds_of
from unrelu.audit._result import LayerAudit
from unrelu.frames import Evidence, analyse_points, frame_of
from unrelu.inverse import invert
from unrelu.preimage import preimages

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    error_noisy: np.ndarray
    condition: np.ndarray
    originals: np.ndarray
    reconstructions: np.ndarray
    preimage: np.ndarray
    dimension: np.ndarray
    classified_active: np.ndarray
    linear_programs: int
    kept_inputs: torch.Tensor
    seconds: float


@dataclass
class Beside:
    """What was found of a layer beside the samples that pass through it.

    Attributes:
        injectivity: Whether it is injective on R^n.
        collisions: Other inputs with the same outputs.
        lipschitz: Its Lipschitz constants.
        spectrum: Singular values from the data up to it.
        notes: What a reader should know about these.
    """

    injectivity: InjectivityVerdict | None = None
    collisions: tuple[CollisionExample, ...] = ()
    lipschitz: LipschitzFigures | None = None
    spectrum: SpectrumFigures | None = None
    notes: list[str] = field(default_factory=list)


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

    def add(self, inputs: torch.Tensor, places: Mapping[str, np.ndarray], first: int) -> None:
        """Account for a batch.

        Args:
            inputs: The layer's inputs, shape ``(batch, n)``.
            places: Positions in the batch: ``"reconstruct"``, whose inputs are to be reconstructed,
                ``"noise"``, of these from outputs with noise, ``"classify"``, whose preimages are to be
                classified, and ``"keep"``, whose inputs are needed later.
            first: Number of the first sample in the data.
        """
        start = time.perf_counter()
        chosen, classified = places["reconstruct"], places["classify"]
        points = analyse_points(self.layer, inputs, frame=self.frame)
        outputs = self.layer.apply(inputs)
        x, kind = inputs[chosen], points.singleton[chosen]
        asked = np.isin(chosen, places["noise"]) & (kind == 1)
        back, condition, noisy = self._way_back(outputs[chosen], asked)
        kinds = preimages(self.layer, inputs[classified], frame=self.frame)
        norm = x.norm(dim=1)
        size = norm.clamp(min=np.finfo(float).tiny)
        shown = slice(None) if self.data_shape else slice(0)
        self.batches.append(
            _Batch(
                points=points,
                norm=inputs.norm(dim=1).cpu().numpy(),
                ever_active=(outputs > 0).any(dim=0).cpu().numpy(),
                numbers=first + chosen,
                kind=kind,
                error=((back - x).norm(dim=1) / size).cpu().numpy(),
                error_noisy=(torch.from_numpy(noisy) / norm.cpu()).numpy(),
                condition=condition,
                originals=x[shown].cpu().numpy(),
                reconstructions=back[shown].cpu().numpy(),
                preimage=kinds.kinds,
                dimension=kinds.dimensions,
                classified_active=points.n_active[classified],
                linear_programs=kinds.n_lp,
                kept_inputs=inputs[places["keep"]],
                seconds=time.perf_counter() - start,
            )
        )

    def _way_back(
        self, outputs: torch.Tensor, noisy: np.ndarray
    ) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
        """Return reconstructions, condition numbers, and errors to be expected under noise, else NaN.

        Args:
            outputs: Outputs, shape ``(batch, m)``.
            noisy: For which of them noise is asked for, booleans, shape ``(batch,)``.
        """
        x = outputs.new_zeros(len(outputs), self.layer.n, dtype=torch.float64)
        condition, expected = np.full((2, len(outputs)), np.nan)
        for noise, asked in ((None, ~noisy), (RelativeNoise(NOISE), noisy)):
            part = np.flatnonzero(asked)
            back = invert(self.layer, outputs[part], noise=noise, frame=self.frame)
            x[part], condition[part] = back.x, back.condition.cpu().numpy()
            if noise is not None:
                expected[part] = back.expected_error.cpu().numpy()
        return x, condition, expected

    @property
    def kept_inputs(self) -> torch.Tensor:
        """The inputs that were to be kept, of the samples seen so far."""
        return torch.cat([batch.kept_inputs for batch in self.batches])

    def _joined(self, name: str) -> np.ndarray:
        """Return one figure over all batches; figures of points by their own name."""
        owners = [batch if hasattr(batch, name) else batch.points for batch in self.batches]
        return np.concatenate([getattr(owner, name) for owner in owners])

    def report(self, confidence: float, beside: Beside) -> LayerAudit:
        """Return what was found so far, with what was found beside the samples."""
        start = time.perf_counter()
        layer, frame = self.layer, self.frame
        low, high = frame.rank_bounds(np.arange(frame.m))
        rank = low if low == high else frame.numerical_rank(np.arange(frame.m))
        lines = frame.directions
        n_active, singleton = self._joined("n_active"), self._joined("singleton")
        error, kind, noisy = self._joined("error"), self._joined("kind"), self._joined("error_noisy")
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
            noisy_samples=int(np.isfinite(noisy).sum()),
            error_noisy=Quantiles.of_finite(noisy),
            injectivity=beside.injectivity,
            preimages=kinds_of(
                self._joined("preimage"),
                self._joined("dimension"),
                self._joined("classified_active"),
                sum(batch.linear_programs for batch in self.batches),
            ),
            collisions=beside.collisions,
            lipschitz=beside.lipschitz,
            spectrum=beside.spectrum,
            examples=self._examples(error, kind) if self.data_shape else (),
            seconds=sum(batch.seconds for batch in self.batches) + time.perf_counter() - start,
            notes=(*self._notes(tests), *beside.notes),
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
        if not self.layer.exact:
            notes.append("W and b are rounded products of several maps; the figures hold for these numbers")
        return tuple(notes)


def _share(count: int, total: int, confidence: float) -> Share:
    return Share(count, total, *clopper_pearson(count, total, confidence), confidence)
