"""One estimate by all ranks of `torch.distributed`: each takes a share of the samples, all get the answer.

The answer is the one that a single process gives, sample after sample. The minimum of the ranks' minima is
the minimum; which samples lowered it when they came is told by replaying a rank's few records after what the
ranks before it have seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist

from unrelu.bias._minimum import RunningMinimum
from unrelu.bias._select import Records, joined
from unrelu.bias._sweep import Outcome, lowering

if TYPE_CHECKING:
    from unrelu.bias._pass import Searcher
    from unrelu.bias._sweep import Tell

_ROUND = 16  # chunks that a rank searches between two exchanges
_NEVER = np.iinfo(np.int64).max


def rank_and_size() -> tuple[int, int]:
    """Return this process's number and how many there are; 0 and 1 where nothing is distributed."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def fixed_number(searcher: Searcher, alpha: np.ndarray, limit: int, tell: Tell) -> Outcome:
    """Take a fixed number of samples, with one exchange at the end.

    Args:
        searcher: Finds what lowers a bias.
        alpha: The bias to start from, +infinity.
        limit: Number of samples.
        tell: Is called with the number of samples at the end.
    """
    rank, size = rank_and_size()
    chunks = -(-limit // searcher.chunk)
    start, stop = (min(r * chunks // size * searcher.chunk, limit) for r in (rank, rank + 1))
    own, records = lowering(searcher, alpha, start, stop)
    tell(limit)
    minimum = RunningMinimum(np.vstack([alpha, _gathered(own)[:rank]]).min(axis=0))
    minimum.absorb(records, limit)
    lowest = _reduced(own, dist.ReduceOp.MIN)
    attained = (minimum.support >= 0) & (minimum.alpha == lowest)
    first = _reduced(np.where(attained, minimum.support, _NEVER), dist.ReduceOp.MIN)
    changes = _reduced(np.array([minimum.changes]), dist.ReduceOp.SUM)
    return Outcome(lowest, np.where(first == _NEVER, -1, first), limit, int(changes[0]))


def with_patience(searcher: Searcher, minimum: RunningMinimum, limit: int | None, tell: Tell) -> Outcome:
    """Take samples until patience ends, with an exchange of records every few chunks.

    Args:
        searcher: Finds what lowers the minimum.
        minimum: A new minimum.
        limit: Number of samples, ``None`` if patience decides.
        tell: Is called with the number of samples after every exchange.
    """
    rank, size = rank_and_size()
    share = _ROUND * searcher.chunk
    while not minimum.converged and minimum.seen != limit:
        borders = (minimum.seen + r * share for r in (rank, rank + 1, size))
        start, stop, end = (border if limit is None else min(border, limit) for border in borders)
        _, records = lowering(searcher, minimum.alpha, start, stop)
        minimum.absorb(_gathered_records(records), end)
        tell(minimum.seen)
    return Outcome.of(minimum)


def _gathered_records(own: Records) -> Records:
    """Return the records of all ranks in their order."""
    counts = _gathered(np.array([len(own.number)]))[:, 0]
    padding = (0, int(counts.max()) - len(own.number))
    columns = (_gathered(np.pad(column, padding)) for column in own)
    ranks = zip(*columns, counts, strict=True)
    return joined([Records(number[:k], row[:k], value[:k]) for number, row, value, k in ranks])


def _gathered(array: np.ndarray) -> np.ndarray:
    """Return the arrays of all ranks, shape ``(ranks, *shape)``."""
    own = torch.from_numpy(array).to(_device())
    all_of_them = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(all_of_them, own)
    return torch.stack(all_of_them).cpu().numpy()


def _reduced(array: np.ndarray, operation: dist.ReduceOp.RedOpType) -> np.ndarray:
    result = torch.from_numpy(array.copy()).to(_device())
    dist.all_reduce(result, operation)
    return result.cpu().numpy()


def _device() -> torch.device:
    """Return where the ranks exchange tensors."""
    return (
        torch.device("cuda", torch.cuda.current_device())
        if dist.get_backend() == "nccl"
        else torch.device("cpu")
    )
