"""Audit: measure on data what every ReLU layer of a network forgets."""

from __future__ import annotations

import math
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu._checks import probability, whole_number
from unrelu._citation import PAPERS
from unrelu._progress import progress_bar
from unrelu._version import __version__
from unrelu.audit._figures import CollisionExample, InjectivityVerdict
from unrelu.audit._inputs import as_dataset, fit, shown_shape
from unrelu.audit._layer import LayerAccount
from unrelu.audit._preimages import find_collisions, injectivity_of
from unrelu.audit._result import AuditResult, LayerAudit, SkippedNode
from unrelu.errors import ArgumentError
from unrelu.layers import Network, ReLULayer

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 64 << 20
_CHUNK_SAMPLES = 250


def audit(
    network: Network | ReLULayer,
    data: Any,
    *,
    reconstruct: int = 1000,
    classify: int = 1000,
    collisions: int = 6,
    decide: float = 5.0,
    confidence: float = 0.95,
    progress: bool = False,
) -> AuditResult:
    """Measure, layer by layer, which samples a network's ReLU layers give back and which they do not.

    Verdicts are about the preimage, on all of R^n, of the sample's activation. They are proved for the stored
    numbers or counted as undecided. An interrupt (Ctrl-C) ends the audit with what it has, marked partial.

    Args:
        network: A traced network, or one layer.
        data: Samples: an array of shape ``(N, *input_shape)``, a `Dataset`, or a name or path that
            `unrelu.load` takes.
        reconstruct: Number of samples, evenly spread, whose reconstruction is measured.
        classify: Number of samples, evenly spread, whose preimages are classified.
        collisions: Number of samples, evenly spread, that are turned into others with the same output, in a
            layer that reads the data themselves.
        decide: Seconds for each layer to decide whether it is injective on all of R^n; 0 for none.
        confidence: Coverage of the Clopper-Pearson intervals.
        progress: Show a progress bar on standard error.

    Returns:
        Figures for each layer; see `AuditResult` and `LayerAudit`.

    Raises:
        ArgumentError: If a number of samples or seconds is negative or ``confidence`` is not in (0, 1).
        DataError: If the data cannot be read or do not fit the network.
    """
    counts = {"reconstruct": reconstruct, "classify": classify, "collisions": collisions}
    for name, value in counts.items():
        whole_number(name, value, least=0)
    if not 0 <= decide < math.inf:
        raise ArgumentError(f"decide: expected a number of seconds >= 0, got {decide!r}")
    confidence = probability("confidence", confidence)
    start = time.perf_counter()
    network = network if isinstance(network, Network) else Network.of_layer(network)
    dataset = as_dataset(data)
    inputs = fit(dataset, network)
    spread = {name: _spread(count, len(inputs)) for name, count in counts.items()}
    run = _Run(network, inputs, dataset.labels, spread, decide, shown_shape(dataset, inputs))
    with torch.no_grad(), progress_bar(progress) as bar:
        partial = run.all(bar)
    layers = run.reports(confidence)
    return AuditResult(
        model=network.origin,
        data=dataset.name,
        data_shape=tuple(dataset.inputs.shape[1:]),
        samples=len(inputs),
        layers=layers,
        skipped=run.skipped,
        partial=partial,
        seconds=time.perf_counter() - start,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
        citation=PAPERS,
    )


class _Run:
    """One pass of the samples through the network."""

    def __init__(
        self,
        network: Network,
        inputs: np.ndarray,
        labels: np.ndarray | None,
        spread: dict[str, np.ndarray],
        seconds: float,
        shown: tuple[int, ...] | None,
    ) -> None:
        self.network, self.inputs, self.labels, self.spread = network, inputs, labels, spread
        self.seconds = seconds
        self.skipped = tuple(SkippedNode(s.node, s.operator, s.reason) for s in network.skipped)
        self.accounts: dict[str, LayerAccount] = {}
        self.collisions: dict[str, tuple[CollisionExample, ...]] = {}
        self.injectivity: dict[str, InjectivityVerdict] = {}
        for name, layer in network.items():
            data_shape = shown if layer.source == network.input_name else None
            try:
                self.accounts[name] = LayerAccount(layer, data_shape)
            except ArgumentError as error:  # too large to hold: say so, go on with the others
                self.skipped += (SkippedNode(layer.node, "Relu", str(error)),)

    def all(self, bar: Any) -> bool:
        """Account for all samples; return whether this was interrupted."""
        task = bar and bar.add_task("audit", total=len(self.inputs) * len(self.accounts))
        try:
            for part in self._chunks():
                batch = torch.from_numpy(np.ascontiguousarray(self.inputs[part], dtype=np.float64))
                chosen, classified = (self._within(part, name) for name in ("reconstruct", "classify"))
                for layer, activations in self.network.walk(batch):
                    if layer.name in self.accounts:
                        if bar:
                            bar.update(task, description=f"audit {layer.name}")
                        self.accounts[layer.name].add(activations, chosen, classified, part.start)
                        if bar:
                            bar.advance(task, len(batch))
            for name, account in self.accounts.items():
                if bar:
                    bar.update(task, description=f"decide {name}")
                self.collisions[name] = self._collisions(account)
                if self.seconds:
                    self.injectivity[name] = injectivity_of(account.layer, self.seconds)
        except KeyboardInterrupt:
            return True
        return False

    def _chunks(self) -> Iterator[slice]:
        widest = max((a.layer.m + a.layer.n for a in self.accounts.values()), default=1)
        size = max(1, min(_CHUNK_SAMPLES, _CHUNK_BYTES // (8 * widest)))
        return (slice(s, min(s + size, len(self.inputs))) for s in range(0, len(self.inputs), size))

    def _within(self, part: slice, name: str) -> np.ndarray:
        numbers = self.spread[name]
        return numbers[(numbers >= part.start) & (numbers < part.stop)] - part.start

    def _collisions(self, account: LayerAccount) -> tuple[CollisionExample, ...]:
        numbers = self.spread["collisions"]
        if account.data_shape is None or not len(numbers):
            return ()
        return find_collisions(
            account.layer, account.frame, self.inputs, self.labels, numbers, account.data_shape
        )

    def reports(self, confidence: float) -> tuple[LayerAudit, ...]:
        """Return the layers that saw at least one sample; list the others as skipped."""
        seen = [account for account in self.accounts.values() if account.samples]
        self.skipped += tuple(
            SkippedNode(account.layer.node, "Relu", "interrupted before a sample reached it")
            for account in self.accounts.values()
            if not account.samples
        )
        return tuple(
            account.report(confidence, self.injectivity.get(name), self.collisions.get(name, ()))
            for name, account in ((account.layer.name, account) for account in seen)
        )


def _spread(count: int, samples: int) -> np.ndarray:
    """Return the numbers of so many samples, evenly spread."""
    return np.unique(np.linspace(0, samples - 1, min(count, samples)).round().astype(int))


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("torch", "numpy", "scipy")}
    return {"unrelu": __version__, **libraries, "python": platform.python_version()}
