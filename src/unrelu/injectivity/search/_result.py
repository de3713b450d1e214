"""What a search has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The answer of the search tree, with what proves it.

    Attributes:
        verdict: ``"injective"``, ``"witness"`` (not injective) or ``"unknown"``.
        grade: Of the proof: ``"exact"`` or ``"exact-general-position"``; empty where unknown.
        reason: Why, in a sentence.
        support_starts: For ``"injective"``: see `unrelu.certificates.InjectivityCertificate`.
        support_rows: The same.
        tree: The same.
        x: For ``"witness"``: a point inside of the domain, shape ``(n,)``.
        weak: For ``"witness"``: the rows that are weakly active there, decided exactly; they do not span R^n.
            For ``"unknown"``: rows that may be the only ones that are active somewhere, and do not span,
            where floating point found no such point.
        bound: Every flat outside of which all rows are negative somewhere is known to have at least this
            rank, counted in general position where the search was; n where injective.
        nodes: Nodes of the tree that were entered.
        seconds: Time spent.
        interrupted: Whether Ctrl-C ended the search.
        inner: A point inside of the domain, shape ``(n,)``, where the proof needs one.
    """

    verdict: str
    grade: str
    reason: str
    support_starts: np.ndarray | None
    support_rows: np.ndarray | None
    tree: np.ndarray | None
    x: np.ndarray | None
    weak: np.ndarray | None
    bound: int
    nodes: int
    seconds: float
    interrupted: bool = False
    inner: np.ndarray | None = None
