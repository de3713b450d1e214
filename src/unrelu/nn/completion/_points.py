"""Certificates of completed layers at data, as far as there is time."""

from __future__ import annotations

import math
import time
from functools import cached_property
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from unrelu._progress import progress_bar
from unrelu.certificates import certify_singletons
from unrelu.frames import frame_of
from unrelu.frames._signs import in_double
from unrelu.preimage import preimage

if TYPE_CHECKING:
    import torch

    from unrelu.certificates import ConeProof, SingletonsCertificate
    from unrelu.frames import Frame
    from unrelu.layers import ReLULayer


class PointsProof:
    """A proof that samples of a layer's input are alone with their outputs, if there is one.

    Attributes:
        certificate: The proof.
        reason: Why there is none.
        interrupted: Whether that is because of Ctrl-C.
    """

    def __init__(self, layer: ReLULayer, X: torch.Tensor, radius: float) -> None:
        """Take a layer and samples; nothing is proved yet.

        Args:
            layer: The layer.
            X: Its inputs, shape ``(N, n)``.
            radius: Euclidean: everything within it is to be alone, too.
        """
        self._layer, self._X, self._radius = in_double(layer), X.double().cpu(), radius
        self._settled = 0
        self.certificate: SingletonsCertificate | None = None
        self.reason, self.interrupted = "", False

    def search(self, deadline: float, progress: bool) -> None:
        """Look for the proof until a time on the clock of `time.monotonic`, or Ctrl-C."""
        try:
            self._search(deadline, progress)
        except KeyboardInterrupt:
            self.interrupted = True
        if self.certificate is None:
            late = time.monotonic() >= deadline
            why = "interrupted" if self.interrupted else "time limit" if late else "not proved"
            self.reason = f"{why}: {self._settled} of {len(self._X)} samples have a proof"

    def _search(self, deadline: float, progress: bool) -> None:
        # Matrices are too small for more threads to be worth their waiting for each other.
        with threadpool_limits(1, user_api="blas"), progress_bar(progress) as bar:
            task = None if bar is None else bar.add_task(f"proving {self._layer.name}", total=len(self._X))

            def report(settled: int) -> None:
                self._settled = settled
                if bar is not None:
                    bar.update(task, completed=settled)

            self.certificate = certify_singletons(
                self._layer.record(),
                self._X.numpy(),
                self._radius,
                cones=self._cone,
                deadline=deadline,
                report=report,
            )

    def _cone(self, k: int) -> ConeProof | None:
        return preimage(self._layer, self._X[k], frame=self._frame).proof.tangent

    @cached_property
    def _frame(self) -> Frame:
        return frame_of(self._layer)


def deadline_after(time_limit: float | None) -> float:
    """Return the time on the clock of `time.monotonic` after some seconds, which never comes for ``None``."""
    return math.inf if time_limit is None else time.monotonic() + time_limit
