"""Which entries of a chunk of products lower a bias: the inner loop of Monte Carlo bias estimation.

A sample lowers row j where ``tau <= (W x)_j < alpha_j``, and ``tau`` is the largest threshold that leaves
spanning rows (Eckert et al. 2024, Theorem 3.1). Let ``c`` be the largest entry below its ``alpha_j``. If the
rows above ``c`` span, ``tau > c`` and the sample lowers nothing; most samples end there, without a ``tau``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, final

import numba
import numpy as np
import torch

from unrelu.bias._result import SpanTest

if TYPE_CHECKING:
    from unrelu.frames import Frame


class Records(NamedTuple):
    """Entries that lower a bias, sample after sample.

    Attributes:
        number: Of the sample, int64, ascending.
        row: The row j, int64.
        value: ``(W x)_j``.
    """

    number: np.ndarray
    row: np.ndarray
    value: np.ndarray


def no_records(dtype: np.dtype) -> Records:
    """Return none."""
    return Records(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, dtype))


def joined(parts: list[Records]) -> Records:
    """Return several records, one after another."""
    return Records(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Criterion(Protocol):
    """Tells which rows span."""

    test: SpanTest

    def lowering(self, C: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the numbers of the samples that may lower ``alpha``, ascending, and their ``tau``."""


def records(C: torch.Tensor, alpha: torch.Tensor, criterion: Criterion, first: int) -> Records:
    """Return the entries that lower a bias.

    Args:
        C: Products ``W x``, one sample a row, shape ``(samples, m)``, finite.
        alpha: The bias so far, or an earlier one: then some entries need not lower it any more.
        criterion: Tells which rows span.
        first: Number of the first sample.
    """
    samples, tau = criterion.lowering(C, alpha)
    values = C[samples]
    sample, row = torch.nonzero((values >= tau[:, None]) & (values < alpha), as_tuple=True)
    number = samples[sample] + first
    return Records(number.cpu().numpy(), row.cpu().numpy(), values[sample, row].cpu().numpy())


@final
class ByCount:
    """``n`` rows span, whichever they are: ``tau`` is the n-th largest entry."""

    test = SpanTest.COUNT

    def __init__(self, n: int) -> None:
        """Keep the dimension."""
        self.n = n

    def lowering(self, C: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Count the entries above ``c``: fewer than ``n`` if and only if the sample lowers ``alpha``."""
        _, above = largest_below(C, alpha)
        samples = torch.nonzero(above < self.n)[:, 0]
        return samples, nth_largest(C[samples], self.n)


@final
class ByRank:
    """Rows span if a factor of their frame operator proves it, which costs a factorisation or more a sample.

    The answer is cautious: too small where floating point proves it of more rows only. Rows proved to span
    are taken to be proved so with others added to them, for these only make the factor better.
    """

    test = SpanTest.RANK

    def __init__(self, frame: Frame) -> None:
        """Keep the layer's rows, all of which together span."""
        self.frame = frame

    def lowering(self, C: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Test the rows above ``c``, then search ``tau`` where they do not span."""
        below, above = (figures.cpu().numpy() for figures in largest_below(C, alpha))
        rows = C.cpu().numpy()
        samples = [k for k, c in enumerate(rows) if not self._spans(c > below[k])]
        tau = np.array([self._threshold(rows[k], int(above[k])) for k in samples], dtype=rows.dtype)
        return torch.tensor(samples, dtype=torch.int64, device=C.device), torch.from_numpy(tau).to(C.device)

    def _spans(self, mask: np.ndarray) -> bool:
        index = np.flatnonzero(mask)
        return len(index) >= self.frame.n and self.frame.spans(index)

    def _threshold(self, c: np.ndarray, above: int) -> float:
        """Return the largest ``t`` for which the rows with ``c >= t`` span; the first ``above`` do not."""
        values, times = np.unique(-c, return_counts=True)
        low = int(np.searchsorted(np.cumsum(times), max(self.frame.n, above + 1)))
        # Strides double until rows span: the answer is seldom far off.
        high, stride = low, 1
        while high < len(values) - 1 and not self._spans(-values[high] <= c):
            low, high, stride = high + 1, min(high + stride, len(values) - 1), 2 * stride
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._spans(-values[middle] <= c) else (middle + 1, high)
        return float(-values[high])


def largest_below(C: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return, for each sample, the largest entry below its ``alpha_j`` (or -inf), and how many are larger."""
    return (_largest_below_on_cpu if C.device.type == "cpu" else _largest_below)(C, alpha)


def nth_largest(C: torch.Tensor, n: int) -> torch.Tensor:
    """Return the n-th largest entry of each row."""
    return (_nth_largest_on_cpu if C.device.type == "cpu" else _nth_largest)(C, n)


def _largest_below(C: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    below = C.masked_fill(alpha <= C, -torch.inf).amax(dim=1)
    return below, (below[:, None] < C).sum(dim=1)


def _nth_largest(C: torch.Tensor, n: int) -> torch.Tensor:
    return C.kthvalue(C.shape[1] - n + 1, dim=1).values


def _nth_largest_on_cpu(C: torch.Tensor, n: int) -> torch.Tensor:
    place = C.shape[1] - n  # numpy's selection is vectorised, torch's is not
    return torch.from_numpy(np.partition(C.numpy(), place, axis=1)[:, place])


def _largest_below_on_cpu(C: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    products, bias = C.contiguous().numpy(), alpha.numpy()
    integer = np.dtype(f"int{8 * products.itemsize}")
    least, flip = np.array([np.iinfo(integer).min, np.iinfo(integer).max], dtype=integer)
    keys, above = np.empty(len(products), dtype=integer), np.empty(len(products), dtype=np.int64)
    _largest_keys(products, products.view(integer), bias, least, flip, keys)
    below = np.where(keys < 0, keys ^ flip, keys).view(products.dtype)
    below[keys == least] = -np.inf
    _count_above(products, below, above)
    return torch.from_numpy(below), torch.from_numpy(above)


@numba.njit(cache=True, nogil=True)
def _largest_keys(
    products: np.ndarray,
    bits: np.ndarray,
    bias: np.ndarray,
    least: np.signedinteger,
    flip: np.signedinteger,
    keys: np.ndarray,
) -> None:
    # Integers ordered like the floats whose bits they are made from: a maximum of floats is not vectorised.
    for k in range(len(products)):
        c, word, largest = products[k], bits[k], least
        for j in range(len(c)):
            key = word[j] ^ flip if word[j] < 0 else word[j]
            largest = max(largest, key if c[j] < bias[j] else least)
        keys[k] = largest


@numba.njit(cache=True, nogil=True)
def _count_above(products: np.ndarray, below: np.ndarray, above: np.ndarray) -> None:
    for k in range(len(products)):
        c, limit, count = products[k], below[k], np.int32(0)
        for j in range(len(c)):
            count += np.int32(c[j] > limit)
        above[k] = count
