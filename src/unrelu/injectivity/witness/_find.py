"""Search for an input at which the weakly active rows do not span (Puthawala et al. 2022, Theorem 1)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from unrelu._checks import whole_number
from unrelu._progress import progress_bar
from unrelu.domains import Domain, Space
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, frame_of
from unrelu.injectivity.witness._annealing import anneal
from unrelu.injectivity.witness._check import Point, examine
from unrelu.injectivity.witness._regions import Region, region_of
from unrelu.injectivity.witness._result import WitnessSearch
from unrelu.injectivity.witness._rows import search_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.layers import ReLULayer

_FIRST_STEPS = 125  # of the first run; each is twice as long as the one before, up to the last
_LAST_STEPS = 16_000
_CHAINS = {"cpu": 32, "cuda": 512}
_ENTRIES = 1 << 29  # of a dense matrix that is allowed
_THREADED = 1 << 21  # entries from which on a product on the CPU is worth several threads


def find_witness(
    layer: ReLULayer,
    domain: Domain | None = None,
    *,
    time_limit: float = 30.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    target: int | None = None,
    progress: bool = False,
) -> WitnessSearch:
    """Look for an input at which too few rows are active for the layer to be injective.

    The number of weakly active rows, ``w_i · x + b_i >= 0``, is annealed over the domain, in float32, by many
    chains at a time and by ever longer runs. What is found is then checked in exact arithmetic. For Gaussian
    rows without bias and ``n = 200`` it succeeds in seconds up to about ``m = 6.4 n``.

    Args:
        layer: The layer.
        domain: R^n by default; a `Box`, an `Orthant`, a `Polytope` or a `Ball`, of which only inner points
            count.
        time_limit: Seconds, about; positive.
        seed: Of the random numbers. Up to its time the search takes the same course for the same seed on the
            same device and number of threads.
        device: Where to search; the layer's device by default.
        target: Go on until `count` is no more than this; by default until a witness is found.
        progress: Whether to show a progress bar.

    Returns:
        The best input met; ``found`` tells whether it is a witness.

    Raises:
        ArgumentError: If the domain is of another kind or has no inner point, the layer is too large to hold,
            or another argument is out of its range.

    Example:
        >>> import numpy as np
        >>> from unrelu.injectivity.witness import find_witness
        >>> from unrelu.layers import ReLULayer
        >>> layer = ReLULayer(np.random.default_rng(0).standard_normal((100, 20)))
        >>> found = find_witness(layer)
        >>> found.found, bool((layer.preactivation(found.x) >= 0).sum() < 20)
        (True, True)
    """
    if not 0 < time_limit < np.inf:
        raise ArgumentError(f"time_limit: expected a positive number of seconds, got {time_limit}")
    seed = whole_number("seed", seed, 0)
    if target is not None:
        target = whole_number("target", target, 0)
    domain = Space() if domain is None else domain
    # Threads wait for one another longer than they work on small products, above all on a busy machine.
    threads = 1 if layer.m * layer.n < _THREADED else None
    with progress_bar(progress) as bar, threadpool_limits(threads):
        search = _Search(layer, domain, device, time_limit, target)
        search.run(seed, bar)
    return search.result()


class _Search:
    """A search under way: what it works on, and the best point so far."""

    def __init__(
        self,
        layer: ReLULayer,
        domain: Domain,
        device: torch.device | str | None,
        time_limit: float,
        target: int | None,
    ) -> None:
        self.begin, self.time_limit, self.target = time.perf_counter(), time_limit, target
        self.layer, self.domain = layer, domain
        if layer.m * layer.n > _ENTRIES:
            raise ArgumentError(f"layer: {layer.name!r} has {layer.m} x {layer.n} weights, too many to hold")
        self.frame: Frame = frame_of(layer)
        rows = search_rows(self.frame, layer.bias.double().cpu().numpy())
        self.region: Region = region_of(rows, domain, device or layer.bias.device)
        self.best: Point | None = None
        self.found = False
        self.restarts = 0

    def run(self, seed: int, bar: Any) -> None:
        """Anneal until the target is met or the time is up."""
        generator = torch.Generator(self.region.rows.device).manual_seed(seed)
        task = bar and bar.add_task("searching for a witness", total=self.time_limit)
        steps = _FIRST_STEPS
        while not self.done and self.elapsed < self.time_limit:
            self.restarts += 1
            for least in self._anneal(steps, generator):
                if bar:
                    text = f"restart {self.restarts}: {least} rows"
                    bar.update(task, completed=self.elapsed, description=text)
            steps = min(2 * steps, _LAST_STEPS)

    def _anneal(self, steps: int, generator: torch.Generator) -> Iterator[int]:
        """One run: yield the fewest rows so far; decide exactly in the end, or when the target is met."""
        chains = _CHAINS.get(generator.device.type, _CHAINS["cpu"])
        goal = self.layer.n - 1 if self.target is None else self.target
        least, place = len(self.region.rows) + 1, None
        for look in anneal(self.region, steps, chains, generator):
            chain = int(look.counts.argmin())
            count = int(look.counts[chain])
            if count < least:
                least, place = count, look.Y[:, chain].clone()
                if count <= goal:
                    self._take(place)
            yield least
            if self.done or self.elapsed >= self.time_limit:
                break
        if place is not None and not self.done:
            self._take(place, by_rank=True)

    def _take(self, place: torch.Tensor, *, by_rank: bool = False) -> None:
        """Keep a point if it is a witness and the best so far is none, or if fewer rows are active."""
        point = examine(self.layer, self.frame, self.domain, self.region.point(place))
        if point is None:
            return
        found = len(point.independent) < self.layer.n
        if by_rank and not found:
            found = self.frame.rank_bounds(point.independent)[1] < self.layer.n
        if self.best is None or (found, -len(point.independent)) > (self.found, -self.count):
            self.best, self.found = point, found

    @property
    def count(self) -> int:
        """Rows of different directions at the best point."""
        return self.layer.m if self.best is None else len(self.best.independent)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to look for."""
        return self.found and (self.target is None or self.count <= self.target)

    @property
    def elapsed(self) -> float:
        """Seconds since the begin."""
        return time.perf_counter() - self.begin

    def result(self) -> WitnessSearch:
        """Return what was found."""
        x, active = (None, np.zeros(0, dtype=int)) if self.best is None else (self.best.x, self.best.active)
        return WitnessSearch(x, active, self.count, self.found, self.restarts, self.elapsed)
