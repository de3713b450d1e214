"""Checks of numbers that are given as arguments: what was expected and what came."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex, cast

from unrelu.errors import ArgumentError


def whole_number(name: str, value: object, least: int = 1) -> int:
    """Return ``value`` as an int.

    Raises:
        ArgumentError: If it is no whole number of at least ``least``.
    """
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(cast(SupportsIndex, value))
    except TypeError:
        number = least - 1
    if number < least:
        raise ArgumentError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    return number


def probability(name: str, value: float) -> float:
    """Return ``value`` as a float.

    Raises:
        ArgumentError: If it is no number between 0 and 1, both excluded.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < 1:
        raise ArgumentError(f"{name}: expected a number between 0 and 1, both excluded, got {value!r}")
    return number
