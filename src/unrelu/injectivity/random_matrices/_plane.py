"""The wedges of the plane, and which of their active rows span it: directed spanning sets, n = 2.

Slides 13 to 16 of Puthawala et al. 2020 show them as pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from unrelu.arrays import Array, to_tensor
from unrelu.errors import ArgumentError
from unrelu.frames import activity, frame_of
from unrelu.layers import ReLULayer


@dataclass(frozen=True, eq=False)
class Wedges:
    """The open wedges into which the lines ``w_i · x = 0`` cut the plane, counter-clockwise.

    Attributes:
        start: Angle at which each begins, in radians, ascending, shape ``(k,)``.
        end: Angle at which it ends; the last one ends where the first begins, ``2 pi`` later.
        points: A unit vector in the middle of each, shape ``(k, 2)``.
        active: Rows weakly active at that point, decided exactly, boolean, shape ``(k, m)``.
        spans: Whether they span the plane, a directed spanning set, decided exactly, boolean, shape ``(k,)``.
    """

    start: np.ndarray
    end: np.ndarray
    points: np.ndarray
    active: np.ndarray
    spans: np.ndarray


def wedges(weight: Array) -> Wedges:
    """Return the wedges of a layer ``relu(W x)``, which is injective if the active rows span in all of them.

    Wedges narrower than rounding errors of their angles may be represented by a point of a neighbour.

    Args:
        weight: ``W``, shape ``(m, 2)``.

    Raises:
        ArgumentError: If the weight is no finite array of that shape.

    Example:
        >>> import numpy as np
        >>> from unrelu.injectivity.random_matrices import wedges
        >>> cut = wedges(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> cut.active.sum(axis=1).tolist()
        [2, 1, 2, 1, 2, 1]
        >>> cut.spans.all()
        np.False_
    """
    rows = to_tensor(weight, "weight")
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise ArgumentError(f"weight: expected shape (m, 2), got {tuple(rows.shape)}")
    layer = ReLULayer(rows)
    frame = frame_of(layer)
    normals = frame.rows(frame.directions.one_per_line(np.arange(layer.m)))
    normal = np.arctan2(normals[:, 1], normals[:, 0])
    start = np.unique(np.mod(np.concatenate([normal + np.pi / 2, normal - np.pi / 2]), 2 * np.pi))
    start = start if len(start) else np.zeros(1)
    end = np.append(start[1:], start[0] + 2 * np.pi)
    middle = (start + end) / 2
    points = np.column_stack([np.cos(middle), np.sin(middle)])
    active = activity(layer, torch.from_numpy(points), frame).signs >= 0
    spans = [len(frame.directions.one_per_line(np.flatnonzero(row))) >= 2 for row in active]
    return Wedges(start, end, points, active, np.array(spans))
