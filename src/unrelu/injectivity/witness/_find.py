"""Search for an input at which the weakly active rows do not span (Puthawala et al. 2022, Theorem 1)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

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
    from unrelu.layers import ReLULayer

_FIRST_STEPS = 125  # of the first run; each is twice as long as the one before, up to the last
_LAST_STEPS = 16_000
_CHAINS = {"cpu": 32, "cuda": 512}
_ENTRIES = 1 << 29  # of a dense matrix that is allowed


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
    target = layer.n - 1 if target is None else whole_number("target", target, 0)
    search = _Search(layer, Space() if domain is None else domain, device, time_limit)
    with progress_bar(progress) as bar:
        search.run(seed, target, bar)
    return search.result()


class _Search:
    """A search under way: what it works on, and the best point so far."""

    def __init__(
        self, layer: ReLULayer, domain: Domain, device: torch.device | str | None, time_limit: float
    ) -> None:
        self.begin, self.time_limit = time.perf_counter(), time_limit
        self.layer, self.domain = layer, domain
        if layer.m * layer.n > _ENTRIES:
            raise ArgumentError(f"layer: {layer.name!r} has {layer.m} x {layer.n} weights, too many to hold")
        self.frame: Frame = frame_of(layer)
        rows = search_rows(self.frame, layer.bias.double().cpu().numpy())
        self.region: Region = region_of(rows, domain, device or layer.bias.device)
        self.best: Point | None = None
        self.found = False
        self.restarts = 0

    def run(self, seed: int, target: int, bar: Any) -> None:
        """Anneal until the target is met or the time is up."""
        generator = torch.Generator(self.region.rows.device).manual_seed(seed)
        chains = _CHAINS.get(generator.device.type, _CHAINS["cpu"])
        task = bar and bar.add_task("searching for a witness", total=self.time_limit)
        steps = _FIRST_STEPS
        while self._elapsed() < self.time_limit and not self._done(target):
            self.restarts += 1
            self._anneal(steps, chains, generator, target, bar, task)
            steps = min(2 * steps, _LAST_STEPS)

    def _anneal(
        self, steps: int, chains: int, generator: torch.Generator, target: int, bar: Any, task: Any
    ) -> None:
        """One run; its best point is looked at exactly in the end, and whenever it may meet the target."""
        least, place = len(self.region.rows) + 1, None
        for look in anneal(self.region, steps, chains, generator):
            chain = int(look.counts.argmin())
            count = int(look.counts[chain])
            if count < least:
                least, place = count, look.Y[:, chain].clone()
                if count <= target and self._take(place, target):
                    return
            if bar:
                bar.update(task, completed=self._elapsed(), description=f"fewest active rows: {least}")
            if self._elapsed() >= self.time_limit:
                break
        if place is not None:
            self._take(place, target, by_rank=True)

    def _take(self, place: torch.Tensor, target: int, *, by_rank: bool = False) -> bool:
        """Keep a point if it is the best so far; say whether the search is over."""
        point = examine(self.layer, self.frame, self.domain, self.region.point(place))
        if point is not None and (self.best is None or len(point.independent) < len(self.best.independent)):
            few = len(point.independent) < self.layer.n
            if few or not self.found:
                self.best = point
                self.found = few or (by_rank and self.frame.rank_bounds(point.independent)[1] < self.layer.n)
        return self._done(target)

    def _done(self, target: int) -> bool:
        # A witness by rank is as good as one by number where nothing else was asked for.
        count = self.layer.m if self.best is None else len(self.best.independent)
        return self.found and (count <= target or target == self.layer.n - 1)

    def _elapsed(self) -> float:
        return time.perf_counter() - self.begin

    def result(self) -> WitnessSearch:
        """Return what was found."""
        point = self.best
        return WitnessSearch(
            None if point is None else point.x,
            np.zeros(0, dtype=int) if point is None else point.active,
            self.layer.m if point is None else len(point.independent),
            self.found,
            self.restarts,
            self._elapsed(),
        )
