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
from unrelu.audit._figures import CollisionExample
from unrelu.audit._inputs import as_dataset, evenly_spread, fit, shown_shape
from unrelu.audit._layer import Beside, LayerAccount
from unrelu.audit._lipschitz import POINTS, lipschitz_of
from unrelu.audit._noise import NOISY_SAMPLES
from unrelu.audit._preimages import find_collisions, injectivity_of
from unrelu.audit._result import AuditResult, LayerAudit, SkippedNode
from unrelu.audit._spectra import affordable, left_out, spectra_of
from unrelu.errors import ArgumentError
from unrelu.injectivity import Verdict
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
    spectra: int = 4,
    lipschitz: float = 0.1,
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
        reconstruct: Number of samples, evenly spread, whose reconstruction is measured; for up to 200 of them
            that are given back, also what is to be expected under noise.
        classify: Number of samples, evenly spread, whose preimages are classified.
        collisions: Number of samples, evenly spread, that are turned into others with the same output, in a
            layer that reads the data themselves.
        decide: Seconds for each layer to decide whether it is injective on all of R^n; 0 for none.
        spectra: Number of samples, evenly spread, at which the network is linearised: medians of the singular
            values from the data up to each layer, before and after its ReLU; 0 for none. Where all of them
            would take long (a sample about 2e11 multiplications, layers added up) a note says so.
        lipschitz: Seconds for each of two searches for the Lipschitz constants of a layer and of the way
            back, on R^n; 0 for none. Only for dense layers of at most a million weights.
        confidence: Coverage of the Clopper-Pearson intervals.
        progress: Show a progress bar on standard error.

    Returns:
        Figures for each layer; see `AuditResult` and `LayerAudit`.

    Raises:
        ArgumentError: If a number of samples or seconds is negative or ``confidence`` is not in (0, 1).
        DataError: If the data cannot be read or do not fit the network.
    """
    counts = {
        "reconstruct": reconstruct,
        "classify": classify,
        "collisions": collisions,
        "spectra": spectra,
    }
    for name, value in counts.items():
        whole_number(name, value, least=0)
    seconds = {"decide": decide, "lipschitz": lipschitz}
    for name, limit in seconds.items():
        if not 0 <= limit < math.inf:
            raise ArgumentError(f"{name}: expected a number of seconds >= 0, got {limit!r}")
    confidence = probability("confidence", confidence)
    start = time.perf_counter()
    network = network if isinstance(network, Network) else Network.of_layer(network)
    dataset = as_dataset(data)
    inputs = fit(dataset, network)
    run = _Run(network, inputs, dataset.labels, counts, seconds, shown_shape(dataset, inputs))
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
        counts: dict[str, int],
        seconds: dict[str, float],
        shown: tuple[int, ...] | None,
    ) -> None:
        self.network, self.inputs, self.labels, self.seconds = network, inputs, labels, seconds
        self.spread = {name: evenly_spread(count, len(inputs)) for name, count in counts.items()}
        measured = self.spread["reconstruct"]
        self.spread["noise"] = measured[evenly_spread(NOISY_SAMPLES, len(measured))]
        self.spread["keep"] = evenly_spread(POINTS, len(inputs))
        self.skipped = tuple(SkippedNode(s.node, s.operator, s.reason) for s in network.skipped)
        self.accounts: dict[str, LayerAccount] = {}
        self.beside: dict[str, Beside] = {}
        for name, layer in network.items():
            data_shape = shown if layer.source == network.input_name else None
            try:
                self.accounts[name] = LayerAccount(layer, data_shape)
                self.beside[name] = Beside()
            except ArgumentError as error:  # too large to hold: say so, go on with the others
                self.skipped += (SkippedNode(layer.node, "Relu", str(error)),)

    def all(self, bar: Any) -> bool:
        """Account for all samples; return whether this was interrupted."""
        task = bar and bar.add_task("audit", total=len(self.inputs) * len(self.accounts))
        try:
            for part in self._chunks():
                batch = torch.from_numpy(np.ascontiguousarray(self.inputs[part], dtype=np.float64))
                places = {name: self._within(part, name) for name in self.spread}
                for layer, activations in self.network.walk(batch):
                    if layer.name in self.accounts:
                        if bar:
                            bar.update(task, description=f"audit {layer.name}")
                        self.accounts[layer.name].add(activations, places, part.start)
                        if bar:
                            bar.advance(task, len(batch))
            if bar:
                bar.update(task, description="spectra")
            if not self._spectra():
                return True
            for name, account in self.accounts.items():
                if bar:
                    bar.update(task, description=f"decide {name}")
                self._beside(account, self.beside[name])
        except KeyboardInterrupt:
            return True
        return False

    def _spectra(self) -> bool:
        """Find the singular values up to the layers; return whether this came to its end."""
        x = self.inputs[self.spread["spectra"]]
        if not len(x):
            return True
        cheap = affordable(self.network)
        names, others = ([name for name in self.beside if (name in cheap) == part] for part in (True, False))
        if others:
            self.beside[others[0]].notes.append(left_out(self.network))
        if not names:
            return True
        found, complete = spectra_of(self.network, names, x)
        for name, figures in found.items():
            self.beside[name].spectrum = figures
        return complete

    def _beside(self, account: LayerAccount, found: Beside) -> None:
        """Find what does not take all samples."""
        found.collisions = self._collisions(account)
        if self.seconds["decide"]:
            found.injectivity = injectivity_of(account.layer, self.seconds["decide"])
        if self.seconds["lipschitz"]:
            refuted = found.injectivity is not None and found.injectivity.verdict == Verdict.NOT_INJECTIVE
            seconds = self.seconds["lipschitz"]
            found.lipschitz = lipschitz_of(account.layer, account.kept_inputs, seconds, refuted)

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
        return tuple(account.report(confidence, self.beside[account.layer.name]) for account in seen)


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("torch", "numpy", "scipy")}
    return {"unrelu": __version__, **libraries, "python": platform.python_version()}
