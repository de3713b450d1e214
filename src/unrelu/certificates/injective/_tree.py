"""Replay of the tree of an injectivity proof (Froese, Grillo, Skutella 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from unrelu.certificates._injectivity import RANK_LEAF
from unrelu.certificates._verification import NotProvedError

_Node = tuple[int, int]  # the rows Z and N, as bits


class Support(NamedTuple):
    """Layer rows of a support as bits.

    Attributes:
        plus: Those of which one is weakly active where all of ``minus`` are.
        minus: The others.
    """

    plus: int
    minus: int


class Leaf(NamedTuple):
    """A node that counting or ranks must close; sets of rows as bits.

    Attributes:
        position: Where it stands in the tree.
        chosen: The rows ``Z``.
        choices: A row of each of these sets is weakly active.
    """

    position: int
    chosen: int
    choices: tuple[int, ...]


def replay(tree: list[int], supports: list[Support], rows: dict[int, int]) -> Iterator[Leaf]:
    """Go through the nodes and yield those that counting or ranks must close.

    Args:
        tree: The nodes, depth first, see `InjectivityCertificate`.
        supports: The supports.
        rows: The bit of each row of the layer that is in some support.

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
            chosen, excluded = node
            row = rows.get(token, 0)
            if not row or row & (chosen | excluded):
                why = "was branched on before" if row else "is in no support"
                raise NotProvedError(f"tree position {position}: row {token} {why}")
            open_nodes += [(chosen, excluded | row), (chosen | row, excluded)]
            position += 1
            continue
        members = [] if token == RANK_LEAF else tree[position + 1 : position + 1 - token]
        if token != RANK_LEAF and len(members) != -token:
            raise NotProvedError(f"the tree ends at position {len(tree)}, inside of a leaf")
        yield _leaf(position, members, supports, node)
        position += 1 + len(members)
    if position < len(tree):
        raise NotProvedError(f"tree position {position}: no node is open any more")


def _leaf(position: int, members: list[int], supports: list[Support], node: _Node) -> Leaf:
    """Check that supports speak of the node."""
    chosen, excluded = node
    choices = []
    for number in members:
        if not 0 <= number < len(supports):
            raise NotProvedError(f"tree position {position}: support {number} does not exist")
        plus, minus = supports[number]
        if minus & ~chosen:
            raise NotProvedError(f"tree position {position}: support {number} leans on a row not chosen")
        if plus & chosen:
            raise NotProvedError(f"tree position {position}: support {number} has a row that was chosen")
        choices.append(plus & ~excluded)
    return Leaf(position, chosen, tuple(choices))


def largest_load(choices: tuple[int, ...]) -> int:
    """Return the largest number of sets that have a row in common."""
    levels: list[int] = []  # the rows in more than 0, 1, ... sets
    for rows in choices:
        carried = rows
        for k, level in enumerate(levels):
            levels[k], carried = level | carried, level & carried
        if carried:
            levels.append(carried)
    return len(levels)


def members_of(bits: int) -> tuple[int, ...]:
    """Return the numbers of the bits that are set, ascending."""
    out = []
    while bits:
        lowest = bits & -bits
        out.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(out)
