"""Windows of a convolution solved one after another: a sparse proof that the active rows span.

The rows at one place see the pixels of one window only. Where the active ones among them determine what is
not yet known of the window, it becomes known, and other windows have less to determine (Puthawala et al.
2022).
"""

from __future__ import annotations

import numba
import numpy as np
import torch

from unrelu.frames._scaling import SMALLEST, UNIT, power_of_two_below
from unrelu.layers.maps import Convolution

_ROUNDS = 200
_WINDOW = 1024  # entries of a window; larger ones would make large matrices


def peels(convolution: Convolution, masks: np.ndarray) -> np.ndarray:
    """Prove that rows span, window by window.

    Args:
        convolution: The map ``W``.
        masks: Subsets of its rows, boolean, shape ``(batch, m)``.

    Returns:
        Whether each subset is proved to span R^n; ``False`` says nothing.
    """
    taps = convolution.width
    if taps > _WINDOW:
        return np.zeros(len(masks), dtype=bool)
    kernel = convolution.weight.double().cpu().numpy()
    groups = convolution.groups
    kernel = kernel.reshape(groups, kernel.shape[0] // groups, taps)
    kernel = kernel * power_of_two_below(np.abs(kernel).max(axis=2, keepdims=True))
    columns = _windows(convolution)
    return np.array([_peels(kernel, columns, mask, convolution.n) for mask in masks], dtype=bool)


def _windows(convolution: Convolution) -> np.ndarray:
    """Return the pixels under every tap, -1 outside the image, shape ``(groups, places, taps)``."""
    taps, groups = convolution.width, convolution.groups
    # A kernel that numbers its taps: the rows then tell which pixel lies under which.
    numbers = torch.arange(1, taps + 1, dtype=torch.float64).expand(groups, taps)
    rows = Convolution(
        numbers.reshape(groups, *convolution.weight.shape[1:]),
        convolution.in_shape,
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        groups=groups,
    ).csr()
    pixels = np.full((rows.shape[0], taps), -1, dtype=np.int64)
    pixels[np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.data.astype(int) - 1] = (
        rows.indices
    )
    return pixels.reshape(groups, -1, taps)


def _peels(kernel: np.ndarray, columns: np.ndarray, mask: np.ndarray, n: int) -> bool:
    groups, channels, taps = kernel.shape
    places = columns.shape[1]
    active = mask.reshape(groups, channels, places).transpose(0, 2, 1).astype(np.float64)
    products = np.einsum("gci,gcj->gcij", kernel, kernel).reshape(groups, channels, taps * taps)
    gram = (active @ products).reshape(groups * places, taps, taps)
    windows = columns.reshape(groups * places, taps)
    known = np.zeros(n, dtype=np.bool_)
    for _ in range(_ROUNDS):
        before = int(known.sum())
        _solve_windows(gram, windows, known, 1.1 * (channels + taps + 8) * UNIT, 1e6 * SMALLEST)
        after = int(known.sum())
        if after in {before, n}:
            break
    return bool(known.all())


@numba.njit(cache=True, nogil=True)
def _solve_windows(
    gram: np.ndarray, windows: np.ndarray, known: np.ndarray, relative: float, lost: float
) -> None:
    """Mark as known what the windows determine, by Cholesky with a shift above all rounding (Rump 2006).

    Args:
        gram: Gram matrices of the active rows of each window, shape ``(windows, taps, taps)``.
        windows: The pixels under their taps, -1 outside.
        known: Which pixels are known; updated.
        relative: The shift in units of the trace: rounding in products and factorisation.
        lost: What is added to it for numbers below the normal range.
    """
    count, taps = windows.shape
    index = np.empty(taps, dtype=np.int64)
    factor = np.empty((taps, taps))
    for w in range(count):
        size = 0
        for t in range(taps):
            if windows[w, t] >= 0 and not known[windows[w, t]]:
                index[size] = t
                size += 1
        if size == 0:
            continue
        trace = 0.0
        for i in range(size):
            trace += gram[w, index[i], index[i]]
        shift = relative * trace + lost
        proved = True
        for j in range(size):
            for i in range(j, size):
                total = gram[w, index[i], index[j]]
                if i == j:
                    total -= shift
                for k in range(j):
                    total -= factor[i, k] * factor[j, k]
                if i == j:
                    if not total > 0.0:
                        proved = False
                        break
                    factor[j, j] = np.sqrt(total)
                else:
                    factor[i, j] = total / factor[j, j]
            if not proved:
                break
        if proved:
            for i in range(size):
                known[windows[w, index[i]]] = True
