"""Checks of the arguments of domains: small, named, with what was expected and what came."""

from __future__ import annotations

import numpy as np

from unrelu.domains._arrays import Floats, as_numpy
from unrelu.errors import ArgumentError


def parameter(name: str, value: object, *, infinite: bool = False) -> float | Floats:
    """A number as float, or a vector as a read-only float64 copy: a frozen domain stays as it was checked.

    Raises:
        ArgumentError: Not numbers, more than one axis, empty, NaN, or infinite where that is not allowed.
    """
    array = as_numpy(name, value)
    if array.ndim > 1 or array.size == 0:
        raise ArgumentError(f"{name}: expected a number or a vector, got shape {array.shape}")
    checked = array.astype(np.float64)
    _refuse_non_finite(name, checked, infinite)
    checked.flags.writeable = False
    return checked.item() if checked.ndim == 0 else checked


def matrix(name: str, value: object) -> Floats:
    """A finite matrix with at least one column as a read-only float64 copy.

    Raises:
        ArgumentError: Not numbers, not two axes, no column, or not finite.
    """
    array = as_numpy(name, value).astype(np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ArgumentError(f"{name}: expected a matrix of shape (p, n) with n >= 1, got shape {array.shape}")
    _refuse_non_finite(name, array, infinite=False)
    array.flags.writeable = False
    return array


def number(name: str, value: object, *, positive: bool = False) -> float:
    """A finite number that is not negative, or is positive where asked.

    Raises:
        ArgumentError: It is anything else.
    """
    wanted = "a positive number" if positive else "a number that is not negative"
    checked = parameter(name, value)
    if not isinstance(checked, float) or checked < 0 or (positive and checked == 0):
        raise ArgumentError(f"{name}: expected {wanted}, got {value!r}")
    return checked


def _refuse_non_finite(name: str, array: Floats, infinite: bool) -> None:
    if np.isnan(array).any() or not (infinite or np.isfinite(array).all()):
        wanted = "numbers without NaN" if infinite else "finite numbers"
        bad = np.isnan(array) if infinite else ~np.isfinite(array)
        raise ArgumentError(f"{name}: expected {wanted}, got {np.atleast_1d(array[bad])[0]}")
