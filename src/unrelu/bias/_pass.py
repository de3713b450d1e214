"""Passes over samples: chunks are made, multiplied and searched by several threads, and come in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from unrelu.bias._samples import power_of_two_below
from unrelu.bias._select import ByRank, Criterion, Records, joined, records
from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from unrelu.bias._inputs import Plan

_CACHE_BYTES = 4 << 20  # products that stay in cache
_DEVICE_BYTES = 256 << 20  # other devices want long products
_CHUNK_SAMPLES = 4096  # beyond that nothing is gained
_RANK_SAMPLES = 16  # so slow are rank tests that the next samples better wait for the lower bias
_AHEAD = 2  # chunks a thread may be ahead

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Found:
    """What the samples after those found before, up to number ``stop``, may lower."""

    records: Records
    stop: int


class Searcher:
    """Finds what lowers a bias, for samples by number.

    A product is taken by one thread over samples whose first and last number depend on the layer and
    ``chunk_bytes`` alone: it is rounded the same with any number of threads and ranks.

    Attributes:
        chunk: Number of samples in a chunk, a power of two.
        threads: Number of threads.
    """

    def __init__(self, plan: Plan, criterion: Criterion, chunk_bytes: int | None, threads: int) -> None:
        """Settle the sizes of chunks and products."""
        self._linear, self._samples, self._criterion = plan.linear, plan.samples, criterion
        on_cpu = plan.linear.device.type == "cpu"
        self.threads = threads if on_cpu else 1
        budget = chunk_bytes or (_CACHE_BYTES if on_cpu else _DEVICE_BYTES)
        sample = plan.linear.dtype.itemsize * (plan.linear.m + plan.linear.n)
        is_slow = isinstance(criterion, ByRank)
        limit = _RANK_SAMPLES if is_slow else _CHUNK_SAMPLES if on_cpu else budget
        self._product = min(power_of_two_below(budget // sample), limit)
        self.chunk = self._product if is_slow else max(self._product, plan.samples.block)

    def search(self, alpha: np.ndarray, start: int, stop: int | None) -> Generator[Found]:
        """Yield what may lower ``alpha``, chunk by chunk.

        Args:
            alpha: The bias; whoever takes a chunk lowers it, and chunks begun later are searched with that.
            start: Number of the first sample, a multiple of ``chunk``.
            stop: Number of the last sample plus one, ``None`` for no end.
        """
        bias = torch.from_numpy(alpha)

        def chunk(first: int) -> Found:
            last = first + self.chunk if stop is None else min(first + self.chunk, stop)
            return Found(self._records(bias, first, last), last)

        starts = count(start, self.chunk) if stop is None else range(start, stop, self.chunk)
        return in_order(chunk, starts, self.threads)

    @torch.no_grad()
    def _records(self, alpha: torch.Tensor, start: int, stop: int) -> Records:
        samples, found = self._samples.rows(start, stop), []
        for first in range(0, stop - start, self._product):
            x = samples[first : first + self._product]
            C = self._linear.apply(x)
            _refuse_non_finite(x, C)
            found.append(records(C, alpha.to(C.device), self._criterion, start + first))
        return joined(found)


def _refuse_non_finite(x: torch.Tensor, C: torch.Tensor) -> None:
    # The sum is the quicker test, but may overflow itself. All columns are used: C shows whatever is in x.
    if not (bool(C.sum().isfinite()) or bool(C.isfinite().all())):
        wanted = (
            "products with the layer's rows that are finite" if bool(x.isfinite().all()) else "finite numbers"
        )
        raise ArgumentError(f"data: expected {wanted} in {C.dtype}")


def in_order(function: Callable[[A], B], arguments: Iterable[A], threads: int) -> Generator[B]:
    """Yield the function's values in the order of the arguments; threads work a little ahead.

    Closing the iterator ends the threads.
    """
    if threads == 1:
        yield from map(function, arguments)
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        ahead: deque[Future[B]] = deque()
        try:
            for argument in arguments:
                ahead.append(pool.submit(function, argument))
                if len(ahead) > _AHEAD * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep libraries from starting threads of their own, so that products are rounded the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
