"""Sets of rows as bits in 64-bit words, compiled."""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint64


@njit(cache=True, nogil=True)
def ones(word: np.uint64) -> np.int64:
    """Count the bits that are set; compilers know this pattern as one instruction."""
    pairs = word - ((word >> uint64(1)) & uint64(0x5555555555555555))
    fours = (pairs & uint64(0x3333333333333333)) + ((pairs >> uint64(2)) & uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return int64((bytes_ * uint64(0x0101010101010101)) >> uint64(56))


@njit(cache=True, nogil=True)
def lowest(word: np.uint64) -> np.int64:
    """Return the place of the lowest bit that is set."""
    return ones((word & (~word + uint64(1))) - uint64(1))


@njit(cache=True, nogil=True)
def holds(bits: np.ndarray, row: int) -> bool:
    """Say whether a row is in a set."""
    return (bits[row >> 6] >> uint64(row & 63)) & uint64(1) != uint64(0)


@njit(cache=True, nogil=True)
def put(bits: np.ndarray, row: int) -> None:
    """Add a row to a set."""
    bits[row >> 6] |= uint64(1) << uint64(row & 63)


@njit(cache=True, nogil=True)
def meet(pool: np.ndarray, k: int, bits: np.ndarray) -> bool:
    """Say whether set ``k`` of a pool and a set have a row in common."""
    common = uint64(0)
    for w in range(len(bits)):
        common |= pool[k, w] & bits[w]
    return bool(common)


@njit(cache=True, nogil=True)
def meet_outside(pool: np.ndarray, k: int, bits: np.ndarray, out: np.ndarray) -> bool:
    """Say whether set ``k`` of a pool and a set have a row in common that a third one lacks."""
    common = uint64(0)
    for w in range(len(bits)):
        common |= pool[k, w] & bits[w] & ~out[w]
    return bool(common)


@njit(cache=True, nogil=True)
def count_outside(pool: np.ndarray, k: int, out: np.ndarray) -> np.int64:
    """Count the rows of set ``k`` of a pool that another set lacks."""
    total = int64(0)
    for w in range(len(out)):
        total += ones(pool[k, w] & ~out[w])
    return total


@njit(cache=True, nogil=True)
def members_outside(pool: np.ndarray, k: int, out: np.ndarray, found: np.ndarray) -> int:
    """Write the rows of set ``k`` of a pool that another set lacks, ascending, and return their number."""
    total = 0
    for w in range(len(out)):
        word = pool[k, w] & ~out[w]
        while word:
            found[total] = (w << 6) + lowest(word)
            total += 1
            word &= word - uint64(1)
    return total
