"""The rows that decide what the active rows span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.frames._scaling import near_one

if TYPE_CHECKING:
    from unrelu.frames import Frame

_LARGEST = 1e30  # biases in units of their rows; beyond it no float32 tells them apart


@dataclass(frozen=True)
class SearchRows:
    """Rows in float64, each scaled by a power of two.

    Attributes:
        weight: Shape ``(r, n)``.
        bias: Shape ``(r,)``.
    """

    weight: np.ndarray
    bias: np.ndarray


def search_rows(frame: Frame, bias: np.ndarray) -> SearchRows:
    """Return one row for each direction, the one that is active wherever another of that direction is.

    Rows of one direction add one dimension to the span as soon as the one with the largest ``b_i / |w_i|`` is
    active; zero rows add none.
    """
    lines = frame.directions
    used = np.flatnonzero(lines.line >= 0)
    with np.errstate(over="ignore"):
        offset = bias[used] / frame.norms[used]
    order = used[np.argsort(-offset, kind="stable")]
    _, first = np.unique(2 * lines.line[order] + (lines.sign[order] > 0), return_index=True)
    kept = np.sort(order[first])
    rows = frame.rows(kept)
    dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
    scale = near_one(dense)
    with np.errstate(over="ignore"):
        scaled = bias[kept] * scale
    return SearchRows(dense * scale[:, None], np.clip(scaled, -_LARGEST, _LARGEST))
