"""The linear program that asks how far the output is from what a region's relaxation reaches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unrelu.preimage.pieces._rationals import Row, dot
from unrelu.solvers import minimize

if TYPE_CHECKING:
    import flint

    from unrelu.preimage.pieces._bounds import Interval
    from unrelu.preimage.pieces._region import Region
    from unrelu.preimage.pieces._relaxation import Relaxation

_FAR = 1e-7  # distance, relative to the coefficients of the output's rows, from which a proof is tried


def missed_output(relaxation: Relaxation, region: Region) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Return multipliers that may prove that the region does not have the output.

    Returns:
        One weight an entry of the output, ``>= 0`` where the entry may be less than it is, and for every
        hidden pre-activation ``z`` and activation ``a`` the multiplier of ``z <= a``; ``None`` where the
        relaxation reaches the output.

    Raises:
        OverflowError: If a number of the region is out of the range of float64.
    """
    program = _Program(len(region.inside) - 1, sum(map(len, relaxation.hidden)))
    for row in region.rows:
        slack = dot(row, region.inside)
        program.require(-program.step(row, region.inside, slack))
    z = np.array([program.step(row, region.inside) for row in relaxation.rows])
    borders = []
    for bounds, affine in zip(relaxation.hidden, relaxation.maps, strict=True):
        activations, lower = program.rectified(z, bounds)
        borders.append(lower)
        z = affine.floats @ activations
        z[:, -1] += affine.offset
    return program.solve(z, relaxation, borders)


@dataclass
class _Program:
    """Rows ``a · v + b <= 0`` over the step from the region's point, activations, and the distance ``t``.

    Attributes:
        steps: Number of coordinates of the region.
        open: Number of activations.
        rows: The rows.
        used: How many activations have their variable.
    """

    steps: int
    open: int
    rows: list[np.ndarray] = field(default_factory=list)
    used: int = 0

    def step(self, row: Row, inside: Row, scale: flint.fmpq | int = 1) -> np.ndarray:
        """Return ``row / scale`` as a function of the variables."""
        out = np.zeros(self.steps + self.open + 2)
        out[: self.steps] = [float(v / scale) for v in row[:-1]]
        out[-1] = float(dot(row, inside) / scale)
        return out

    def require(self, row: np.ndarray) -> int:
        """Add a row and return its number."""
        self.rows.append(row)
        return len(self.rows) - 1

    def rectified(self, z: np.ndarray, bounds: list[Interval]) -> tuple[np.ndarray, np.ndarray]:
        """Return the activations as functions, and for each the number of its row ``z <= a``, -1 for none."""
        out, lower = np.zeros_like(z), np.full(len(z), -1)
        for j, (low, high) in enumerate(bounds):
            if low is not None and low >= 0:
                out[j] = z[j]
            elif high is None or high > 0:
                variable = self.steps + self.used
                self.used += 1
                out[j, variable] = 1.0
                lower[j] = self.require(z[j] - out[j])
                self._cap(z[j], out[j], (low, high))
        return out, lower

    def _cap(self, z: np.ndarray, a: np.ndarray, bounds: Interval) -> None:
        """Bound an activation from above."""
        low, high = bounds
        if high is None:
            return
        slope = 0.0 if low is None else float(high / (high - low))
        row = a - slope * z
        row[-1] -= float(high) if low is None else -slope * float(low)
        self.require(row)

    def solve(
        self, z: np.ndarray, relaxation: Relaxation, borders: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]] | None:
        """Minimise ``t``; see `missed_output`."""
        z = z.copy()
        z[:, -1] -= [float(y) for y in relaxation.y]
        sizes = np.maximum(np.abs(z[:, :-1]).max(axis=1, initial=0.0), 1e-300)
        z /= sizes[:, None]
        equal = np.array(relaxation.equal)
        signed = np.concatenate([z, -z[equal]])
        signed[:, -2] = -1.0
        table = np.concatenate([np.array(self.rows).reshape(-1, z.shape[1]), signed])
        if not np.isfinite(table).all():
            return None
        count = table.shape[1] - 1
        low, high = np.full(count, -np.inf), np.full(count, np.inf)
        low[self.steps :] = 0.0
        found = minimize(np.eye(1, count, count - 1)[0], table[:, :-1], -table[:, -1], (low, high))
        if not found.optimal or found.v[-1] <= _FAR:
            return None
        dual = found.dual.clip(min=0)
        weights = dual[len(self.rows) :][: len(z)].copy()
        weights[equal] -= dual[len(self.rows) + len(z) :]
        padded = np.append(dual, 0.0)  # number -1: there is no such row
        weights /= sizes
        return (weights, [padded[numbers] for numbers in borders]) if np.isfinite(weights).all() else None
