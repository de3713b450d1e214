"""Block diagonal dominance and padding as they are written down, on dense matrices."""

import numpy as np


def block_excess(matrix: np.ndarray, of_row: np.ndarray, of_column: np.ndarray) -> float:
    """The largest ``||I - R A_gg|| + sum of ||R A_gh||`` with ``R`` the pseudo-inverse of ``A_gg``."""
    sums = []
    for g in np.unique(of_column):
        part = matrix[of_row == g]
        if not len(part):
            return np.inf
        inverse = np.linalg.pinv(part[:, of_column == g])
        others = sum(
            np.linalg.norm(inverse @ part[:, of_column == h], 2) for h in set(of_column.tolist()) - {g}
        )
        near = inverse @ part[:, of_column == g] - np.eye(int((of_column == g).sum()))
        sums.append(np.linalg.norm(near, 2) + others)
    return max(sums)


def reads(size, taps, stride, before, after, dilation, circular, first, width) -> np.ndarray:
    """How often taps ``first, ..., first + width - 1`` read each input, by writing the padded axis out."""
    inputs = np.arange(size)
    padded = (
        np.pad(inputs, (before, after), mode="wrap")
        if circular
        else np.pad(inputs, (before, after), constant_values=-1)
    )
    counts, position = np.zeros(size, dtype=int), 0
    while position + dilation * (taps - 1) < len(padded):
        for tap in range(first, first + width):
            if padded[position + tap * dilation] >= 0:
                counts[padded[position + tap * dilation]] += 1
        position += stride
    return counts
