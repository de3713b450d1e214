"""The answer of the verifier."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verification:
    """Whether a certificate proves what it states.

    Attributes:
        valid: Whether it was proved.
        grade: ``"exact"``: for the model's own numbers. ``"exact-general-position"``: likewise, if any n of
            the rows that the proof names are linearly independent. ``"float"``: for numbers that differ from
            them by rounding, or up to the difference stated. ``""`` where nothing was proved.
        statement: What is proved, in one sentence, or what was claimed.
        reason: How it was proved, or what failed.
    """

    valid: bool
    grade: str
    statement: str
    reason: str


@dataclass(frozen=True)
class Proved:
    """What was proved.

    Attributes:
        exact: Whether it holds for the numbers given, not up to a rounding of theirs.
        reason: How.
    """

    exact: bool
    reason: str


class NotProvedError(Exception):
    """A certificate does not prove what it states; the message says why."""


def require(condition: bool, reason: str) -> None:
    """Go on only if a condition holds.

    Raises:
        NotProvedError: With the reason, if it does not.
    """
    if not condition:
        raise NotProvedError(reason)
