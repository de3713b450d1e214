"""Depth-first search over the sign patterns of all layers; what is left out is proved to be empty."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flint

from unrelu.preimage.pieces._bounds import range_of, tightened
from unrelu.preimage.pieces._leaf import leaf
from unrelu.preimage.pieces._rationals import dot, matrix
from unrelu.preimage.pieces._region import split
from unrelu.preimage.pieces._relaxation import excluded, relax

if TYPE_CHECKING:
    from unrelu.preimage.pieces._bounds import Box
    from unrelu.preimage.pieces._chain import Chain
    from unrelu.preimage.pieces._leaf import Target
    from unrelu.preimage.pieces._rationals import Row
    from unrelu.preimage.pieces._region import Region
    from unrelu.preimage.pieces._result import Piece
    from unrelu.preimage.pieces._start import Start


@dataclass(frozen=True)
class Limits:
    """When to stop.

    Attributes:
        max_pieces: Number of pieces.
        deadline: Time in seconds of `time.monotonic`.
    """

    max_pieces: int
    deadline: float


@dataclass
class Found:
    """What a search found so far.

    Attributes:
        pieces: The pieces.
        programs: Number of linear programs.
        missing: Why there may be others, a sentence; empty if these are all.
    """

    pieces: list[Piece] = field(default_factory=list)
    programs: int = 0
    missing: str = ""


@dataclass(frozen=True)
class _Node:
    """A region in which some signs are fixed.

    Attributes:
        region: The region.
        layer: Number of the layer whose signs are looked at.
        rows: Its pre-activations as functions of ``(u, 1)``.
        active: For the first of them, whether they are positive.
        box: A box around the region.
    """

    region: Region
    layer: int
    rows: list[Row]
    active: tuple[bool, ...]
    box: Box


def search(chain: Chain, start: Start, target: Target, limits: Limits, near: Row | None, bar: Any) -> Found:
    """Visit all regions.

    Args:
        chain: The network.
        start: The domain.
        target: The output.
        limits: When to stop.
        near: An input, ``(u, 1)``, around which to start, or ``None``.
        bar: A progress bar, or ``None``.
    """
    found = Found()
    task = None if bar is None else bar.add_task("regions", total=None)
    box: Box = ((None, None),) * (len(start.region.inside) - 1)
    for row in start.region.rows:
        box = tightened(box, row)
    stack = [_Node(start.region, 0, _compose(chain, 0, start.lift), (), box)]
    while stack and not found.missing.startswith("stopped"):
        node = stack.pop()
        if node.layer == len(chain.names) - chain.final_relu:
            _close(chain, start, target, node, found)
        elif not _is_empty(chain, target, node, found):
            stack += _branch(chain, node, near, found)
        if bar is not None:
            bar.update(task, advance=1, description=f"regions ({len(found.pieces)} pieces)")
        if stack and len(found.pieces) >= limits.max_pieces:
            found.missing = f"stopped at {limits.max_pieces} pieces"
        elif stack and time.monotonic() > limits.deadline:
            found.missing = "stopped at the time limit"
    return found


def _compose(chain: Chain, layer: int, inner: flint.fmpq_mat) -> list[Row]:
    """Return the pre-activations of a layer from the activations before it, all over ``(u, 1)``."""
    affine = chain.maps[layer]
    top = inner if layer else matrix(inner.tolist()[:-1], inner.ncols())
    rows: list[Row] = affine.after(top).tolist()
    return rows


def _branch(chain: Chain, node: _Node, near: Row | None, found: Found) -> list[_Node]:
    """Fix the signs of a layer's rows until both signs of one occur; that one's are two nodes to visit."""
    region, active = node.region, node.active
    for row in node.rows[len(active) :]:
        low, high = range_of(row, node.box)
        if (low is not None and low >= 0) or (high is not None and high <= 0):
            active = (*active, high is None or high > 0)
            continue
        sides = split(region, row)
        found.programs += sides.programs
        if not sides.proved:
            found.missing = "a sign was neither proved to occur nor proved not to"
        if sides.positive is not None and sides.negative is not None:
            first = near is None or dot(row, near) > 0
            parts = ((sides.negative, False), (sides.positive, True))
            return [
                _Node(part, node.layer, node.rows, (*active, sign), tightened(node.box, part.rows[-1]))
                for part, sign in (parts if first else parts[::-1])
            ]
        region = sides.positive or sides.negative or region
        active = (*active, sides.positive is not None)
    zero = [flint.fmpq(0)] * len(region.inside)
    after = matrix([row if on else zero for row, on in zip(node.rows, active, strict=True)], len(zero))
    return [_Node(region, node.layer + 1, _compose(chain, node.layer + 1, after), (), node.box)]


def _is_empty(chain: Chain, target: Target, node: _Node, found: Found) -> bool:
    """Return whether no input of the region is proved to have the output."""
    if target.eps:  # a relaxation knows no rounding
        return False
    relaxation = relax(chain, target, node.layer, node.rows, node.active, node.box)
    empty, programs = excluded(relaxation, node.region)
    found.programs += programs
    return empty


def _close(chain: Chain, start: Start, target: Target, node: _Node, found: Found) -> None:
    """Look for the piece in a region on which the network is affine."""
    last = leaf(chain, start, node.region, node.rows, target)
    found.programs += last.programs
    if last.piece is not None:
        found.pieces.append(last.piece)
    if not last.decided:
        found.missing = "a region was neither proved to hold a piece nor proved to hold none"
