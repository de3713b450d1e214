"""Reading certificates field by field: whatever is not as expected is refused by the field's name."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, NoReturn

import flint
import numpy as np

from unrelu.errors import ArgumentError

_DIGITS = 2_000_000  # of a numerator or denominator; a longer one is no honest number
_RATIONAL = re.compile(r"(-?[0-9]+)/([1-9][0-9]*)")


def refuse(name: str, expected: str, got: str) -> NoReturn:
    """Raise the error of a field that is not as expected."""
    raise ArgumentError(f"{name}: expected {expected}, got {got}")


def shown(value: object) -> str:
    """Return a short form of what was found."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Fields:
    """The fields of one JSON object; each must be read, and none may be left over."""

    def __init__(self, value: object, name: str) -> None:
        """Take the object that was found where ``name`` says.

        Raises:
            ArgumentError: If it is no object.
        """
        if not isinstance(value, dict):
            refuse(name, "an object", shown(value))
        self._values: dict[str, Any] = dict(value)
        self._name = name

    def name(self, key: str) -> str:
        """Return the full name of a field."""
        return f"{self._name}.{key}"

    def take(self, key: str) -> Any:
        """Return a field as it was read.

        Raises:
            ArgumentError: If it is missing.
        """
        if key not in self._values:
            raise ArgumentError(f"{self.name(key)}: the field is missing")
        return self._values.pop(key)

    def child(self, key: str) -> Fields:
        """Return a field that is an object itself."""
        return Fields(self.take(key), self.name(key))

    def text(self, key: str) -> str:
        """Return a string."""
        value = self.take(key)
        if not isinstance(value, str):
            refuse(self.name(key), "a string", shown(value))
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Return one of several strings."""
        value = self.take(key)
        if value not in choices:
            refuse(self.name(key), f"one of {', '.join(choices)}", shown(value))
        return str(value)

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            refuse(self.name(key), "true or false", shown(value))
        return value

    def whole(self, key: str, least: int = 0, most: int = 2**31 - 1) -> int:
        """Return a whole number."""
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            refuse(self.name(key), f"a whole number from {least} to {most}", shown(value))
        return value

    def signed(self, key: str) -> float:
        """Return a finite number."""
        return _float(self.take(key), self.name(key))

    def number(self, key: str) -> float:
        """Return a finite number of at least 0."""
        value = self.signed(key)
        if value < 0:
            refuse(self.name(key), "a number of at least 0", shown(value))
        return value

    def entries(self, key: str, length: int | None = None) -> list[Any]:
        """Return a list of a given length."""
        value = self.take(key)
        if not isinstance(value, list):
            refuse(self.name(key), "a list", shown(value))
        if length is not None and len(value) != length:
            refuse(self.name(key), f"a list of {length} entries", f"{len(value)}")
        return value

    def floats(self, key: str, length: int | None = None, missing: float | None = None) -> np.ndarray:
        """Return a float64 vector; null stands for ``missing`` where that is given."""
        entries = self.entries(key, length)
        name = self.name(key)
        if missing is not None:
            entries = [missing if v is None else _float(v, name) for v in entries]
        else:
            entries = [_float(v, name) for v in entries]
        return np.array(entries, dtype=np.float64)

    def skip_null(self, key: str) -> bool:
        """Say whether a field is null, and count it as read if so."""
        found = key in self._values and self._values[key] is None
        if found:
            del self._values[key]
        return found

    def optional_floats(self, key: str, length: int | None = None) -> np.ndarray | None:
        """Return a float64 vector, ``None`` for null."""
        return None if self.skip_null(key) else self.floats(key, length)

    def numbers(self, key: str, length: int | None = None) -> np.ndarray | None:
        """Return a float64 vector, or one of Fractions where a string is among its entries, or ``None``."""
        if self.skip_null(key):
            return None
        entries = self.entries(key, length)
        name = self.name(key)
        if not any(isinstance(v, str) for v in entries):
            return np.array([_float(v, name) for v in entries], dtype=np.float64)
        out = np.empty(len(entries), dtype=object)
        out[:] = [_fraction(v, name) if isinstance(v, str) else Fraction(_float(v, name)) for v in entries]
        return out

    def indices(self, key: str) -> np.ndarray:
        """Return row numbers, int64, none of them twice."""
        entries = self.entries(key)
        if any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 2**31 for v in entries):
            refuse(self.name(key), "row numbers", shown(entries))
        if len(set(entries)) < len(entries):
            refuse(self.name(key), "every row number once", "a repeated one")
        return np.array(entries, dtype=np.int64)

    def end(self) -> None:
        """Refuse what has not been read.

        Raises:
            ArgumentError: Naming the first such field.
        """
        for key in self._values:
            raise ArgumentError(f"{self.name(key)}: unknown field")


def _float(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(name, "finite numbers", shown(value))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number != value:
        refuse(name, "finite float64 numbers", shown(value))
    return number


def _fraction(text: str, name: str) -> Fraction:
    found = _RATIONAL.fullmatch(text) if len(text) <= 2 * _DIGITS else None
    if found is None:
        refuse(name, "rationals such as '-1/3'", shown(text))
    # flint, because Python refuses to read long numbers
    return Fraction(int(flint.fmpz(found[1])), int(flint.fmpz(found[2])))


def number_list(vector: np.ndarray | None) -> list[Any] | None:
    """Return a vector as JSON holds it: numbers, or strings for rationals."""
    if vector is None:
        return None
    if vector.dtype != object:
        return vector.tolist()
    return [f"{flint.fmpz(v.numerator)}/{flint.fmpz(v.denominator)}" for v in map(Fraction, vector)]


def vector(value: object, name: str, length: int | None = None) -> np.ndarray:
    """Return a finite float64 vector, a copy that is not written to.

    Raises:
        ArgumentError: If it is none, or of another length.
    """
    out = np.array(value, dtype=np.float64)
    if out.ndim != 1 or (length is not None and len(out) != length):
        refuse(name, f"shape ({'k' if length is None else length},)", f"{out.shape}")
    if not np.isfinite(out).all():
        refuse(name, "finite numbers", "others")
    out.flags.writeable = False
    return out
