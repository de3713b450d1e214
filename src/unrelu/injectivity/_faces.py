"""Rows that are weakly active on a whole polytope, with the inequalities that show it (Farkas 1902)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates.injective import positive_dependencies
from unrelu.frames._scaling import near_one
from unrelu.solvers import LinearProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.certificates import DomainRecord, LayerRecord
    from unrelu.frames import Frame

_SECONDS = 5.0  # for all programs
_ENOUGH = 4  # rows found for each column, which will span in most cases
_ZERO = (0.0, 1e-9)  # multipliers, relative to the largest, that may be meant to be 0
_CLEARLY = 1e-6  # a least value below minus this, relative to its terms, is no rounding error


def always_on_polytope(
    layer: LayerRecord, domain: DomainRecord, frame: Frame, inner: np.ndarray
) -> dict[int, np.ndarray]:
    """Minimise each row over a polytope, and keep those for which the multipliers prove a least value >= 0.

    Args:
        layer: The layer.
        domain: The polytope.
        frame: The layer's rows.
        inner: A point of it.

    Returns:
        For each row that is proved to be weakly active: what `StructureCertificate.faces` holds.
    """
    G, h = domain.inequalities()
    scale = near_one(G)
    program = LinearProgram(
        G * scale[:, None], h * scale, (np.full(layer.n, -np.inf), np.full(layer.n, np.inf)), tolerance=1e-9
    )
    homogeneous = np.vstack([np.column_stack([G, -h]), np.append(np.zeros(layer.n), -1.0)])
    found: dict[int, np.ndarray] = {}
    deadline = time.monotonic() + _SECONDS
    for i in _candidates(layer, frame, inner):
        left = deadline - time.monotonic()
        if left <= 0 or len(found) >= _ENOUGH * layer.n:
            break
        row = _row(layer, i)
        size = float(np.abs(row).max())
        solution = program.minimize(row / size, time_limit=left)
        least = float(row @ solution.v) + layer.bias[i]
        if not solution.optimal or least < -_CLEARLY * (
            np.abs(row) @ np.abs(solution.v) + abs(layer.bias[i])
        ):
            continue
        for faces in _guesses(solution.dual):
            support = np.vstack([np.append(row, layer.bias[i]), homogeneous[faces]])
            if positive_dependencies(support, np.arange(len(support))[None])[0]:
                found[i] = faces
                break
    return found


def _candidates(layer: LayerRecord, frame: Frame, inner: np.ndarray) -> list[int]:
    """Return the rows that are active at a point, those first whose hyperplanes are farthest away."""
    values = frame.apply(inner[None])[0] + layer.bias
    active = np.flatnonzero((values >= 0) & (frame.norms > 0))
    order = np.argsort(-values[active] / frame.norms[active], kind="stable")
    return active[order].tolist()


def _row(layer: LayerRecord, i: int) -> np.ndarray:
    part = slice(layer.starts[i], layer.starts[i + 1])
    row = np.zeros(layer.n)
    row[layer.columns[part]] = layer.values[part]
    return row


def _guesses(dual: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the faces with a multiplier, and with the last row, for a least value above 0."""
    for zero in _ZERO:
        faces = np.flatnonzero(dual > zero * dual.max(initial=0.0))
        yield np.append(faces, len(dual))
        yield faces
