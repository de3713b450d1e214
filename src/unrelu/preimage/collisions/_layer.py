"""Other inputs with the output of one layer (Behrmann et al. 2018, Section 5 and Appendix A7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.errors import ArgumentError, UnreluError
from unrelu.frames import activity, analyse_points
from unrelu.preimage._preimage import preimage
from unrelu.preimage._result import Kind
from unrelu.preimage.collisions._goal import Farthest
from unrelu.preimage.collisions._program import make_program
from unrelu.preimage.collisions._proof import proved
from unrelu.preimage.collisions._search import search

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.frames import Frame
    from unrelu.layers import ReLULayer
    from unrelu.preimage.collisions._goal import Goal
    from unrelu.preimage.collisions._program import Program
    from unrelu.preimage.collisions._proof import Candidate
    from unrelu.preimage.collisions._search import Found

_STILL = 1e-8  # length of a step, in units of the input, that is taken for none
_ENTRIES = 50_000_000  # of dense rows: 400 MB


def layer_program(layer: ReLULayer, frame: Frame, x: np.ndarray, domain: Domain, size: float) -> Program:
    """Return the steps that keep the layer's output: active rows stay, the others do not rise above 0.

    Args:
        layer: The layer, in float64.
        frame: Its rows.
        x: An input of the domain, shape ``(n,)``.
        domain: Where inputs live.
        size: Of typical inputs.

    Raises:
        ArgumentError: If the active rows are too many to be worked with.
    """
    state = activity(layer, torch.from_numpy(x)[None].to(layer.bias.device), frame)
    signs, z = state.signs[0], state.z[0]
    active, others = np.flatnonzero(signs > 0), np.flatnonzero(signs <= 0)
    if len(active) * frame.n > _ENTRIES:
        raise ArgumentError(
            f"layer: expected at most {_ENTRIES} entries in active rows, got {len(active) * frame.n}"
        )
    slack = np.where(signs[others] < 0, np.maximum(-z[others], 0), 0.0)
    return make_program(x, frame.rows(active), (frame.rows(others), slack), domain, size)


def collide_layer(
    layer: ReLULayer, frame: Frame, x: np.ndarray, domain: Domain, goal: Goal, deadline: float
) -> Candidate | None:
    """Return the best other input with the layer's output at ``x``, ``None`` where there is provably none.

    Args:
        layer: The layer, in float64.
        frame: Its rows.
        x: An input of the domain, shape ``(n,)``.
        domain: Where inputs live, a polyhedron.
        goal: What to choose by.
        deadline: On the clock of `time.monotonic`.

    Raises:
        ArgumentError: If the active rows are too many to be worked with.
        UnreluError: If neither another input nor a proof that there is none was found.
    """
    point = torch.from_numpy(x)[None].to(layer.bias.device)
    if analyse_points(layer, point, frame=frame, n_jobs=1).singleton[0] == 1:
        return None
    program = layer_program(layer, frame, x, domain, goal.size(x))
    found = search(program, goal, deadline)
    if found is None or np.linalg.norm(found.v) <= _STILL:
        known = preimage(layer, x, domain=domain, frame=frame)
        if known.kind == Kind.SINGLETON:
            return None
        found = _elsewhere(program, goal, found, deadline)
    candidate = None if found is None else proved(layer, domain, program, found, goal)
    if candidate is None:
        raise UnreluError("collide: no other input was found, and it was not proved that there is none")
    return candidate


def _elsewhere(program: Program, goal: Goal, found: Found | None, deadline: float) -> Found | None:
    """Return another input than ``x`` where ``x`` itself is the best."""
    if isinstance(goal, Farthest):
        return found
    other = search(program, Farthest(0), deadline)
    return other and replace(other, note=f"no input but the original is best; instead {other.note}")
