"""Replay of the tree of an injectivity proof (Froese, Grillo, Skutella 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from unrelu.certificates._injectivity import RANK_LEAF
from unrelu.certificates._verification import NotProvedError

_Node = tuple[int, int]  # the rows Z and N, as bits


class Leaf(NamedTuple):
    """A node that counting or ranks must close; sets of rows as bits.

    Attributes:
        position: Where it stands in the tree.
        chosen: The rows ``Z``.
        choices: From each of these sets of rows, not empty, one is to be chosen.
        excluded: The rows ``N``.
    """

    position: int
    chosen: int
    choices: tuple[int, ...]
    excluded: int


def replay(tree: list[int], supports: list[int]) -> Iterator[Leaf]:
    """Go through the nodes and yield those that counting or ranks must close.

    Args:
        tree: The nodes, depth first, see `InjectivityCertificate`.
        supports: The layer rows of each support, as bits.

    Raises:
        NotProvedError: If the tree is no proof; the message names the position.
    """
    open_nodes: list[_Node] = [(0, 0)]
    position = 0
    while open_nodes:
        if position >= len(tree):
            raise NotProvedError(f"the tree ends at position {position}, with {len(open_nodes)} nodes open")
        token, node = tree[position], open_nodes.pop()
        if token >= 0:
            open_nodes += _children(position, token, supports, node)
            position += 1
            continue
        members = [] if token == RANK_LEAF else tree[position + 1 : position + 1 - token]
        if token != RANK_LEAF and len(members) != -token:
            raise NotProvedError(f"the tree ends at position {len(tree)}, inside of a leaf")
        yield _leaf(position, members, supports, node)
        position += 1 + len(members)
    if position < len(tree):
        raise NotProvedError(f"tree position {position}: no node is open any more")


def _children(position: int, number: int, supports: list[int], node: _Node) -> list[_Node]:
    """Return a node's children, the first one last."""
    taken, excluded = node
    if number >= len(supports):
        raise NotProvedError(f"tree position {position}: support {number} does not exist")
    support = supports[number]
    if support & taken:
        raise NotProvedError(f"tree position {position}: support {number} has a row that was chosen before")
    free = support & ~excluded
    children: list[_Node] = []
    while free:
        row = free & -free
        children.append((taken | row, excluded))
        excluded |= row
        free ^= row
    children.reverse()
    return children


def _leaf(position: int, members: list[int], supports: list[int], node: _Node) -> Leaf:
    """Check that sets are disjoint."""
    chosen, excluded = node
    used, choices = chosen, []
    for number in members:
        if not 0 <= number < len(supports):
            raise NotProvedError(f"tree position {position}: support {number} does not exist")
        free = supports[number] & ~excluded
        if free & used:
            raise NotProvedError(f"tree position {position}: support {number} has a row that was used before")
        used |= free
        choices.append(free)
    return Leaf(position, chosen, tuple(choices), excluded)


def members_of(bits: int) -> tuple[int, ...]:
    """Return the numbers of the bits that are set, ascending."""
    out = []
    while bits:
        lowest = bits & -bits
        out.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(out)
