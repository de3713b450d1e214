"""The JSON format of certificates: one object, told apart by its kind."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from unrelu._version import __version__
from unrelu.certificates._fields import Fields, refuse, shown
from unrelu.errors import ArgumentError

FORMAT = "unrelu-certificate"
VERSION = 1
_MOST = 2 << 30  # characters of a file

_KINDS: dict[str, type[Certificate]] = {}


class Certificate(ABC):
    """A statement about a layer or a chain of layers, with what proves it.

    Attributes:
        form: What ``"kind"`` is in JSON.
    """

    form: ClassVar[str]

    @abstractmethod
    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them, with the layers' numbers or without."""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned."""

    def to_json(self, *, rows: bool = True) -> str:
        """Return the certificate as JSON; every number comes back the same.

        Args:
            rows: Whether the layers' numbers are included. Without them the certificate holds their digest,
                and can be verified only together with the layer.
        """
        head = {"format": FORMAT, "version": VERSION, "kind": self.form, "unrelu": __version__}
        return json.dumps(head | self.to_fields(rows), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a certificate of this kind.

        Raises:
            ArgumentError: If the text is no such certificate; the message names the field.
        """
        found = from_json(text)
        if not isinstance(found, cls):
            refuse("certificate.kind", cls.form, found.form)
        return found


T = TypeVar("T", bound=type[Certificate])


def registered(kind: T) -> T:
    """Let `from_json` know a kind of certificate.

    Raises:
        ValueError: If its name is taken.
    """
    if kind.form in _KINDS:
        raise ValueError(f"certificate kind {kind.form!r} exists already")
    _KINDS[kind.form] = kind
    return kind


def from_json(text: str) -> Certificate:
    """Read a certificate of any kind.

    Args:
        text: What `Certificate.to_json` returned.

    Raises:
        ArgumentError: If the text is no certificate, or one of an unknown kind or version; the message names
            the field.
    """
    fields = Fields(_parsed(text), "certificate")
    fields.choice("format", (FORMAT,))
    version = fields.take("version")
    if version != VERSION or isinstance(version, bool):
        refuse("certificate.version", f"{VERSION}, the only one known", shown(version))
    kind = _KINDS[fields.choice("kind", tuple(_KINDS))]
    fields.text("unrelu")
    found = kind.read(fields)
    fields.end()
    return found


def load(path: str | os.PathLike[str]) -> Certificate:
    """Read a certificate from a file.

    Raises:
        ArgumentError: If the file cannot be read or is no certificate.
    """
    name = os.fspath(path)
    try:
        if os.path.getsize(path) > _MOST:
            refuse("size", f"at most {_MOST} bytes", "more")
        text = Path(path).read_text(encoding="utf-8")
        return from_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{name}: cannot be read: {error}") from None
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from None


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_constant, object_pairs_hook=_object)
    except ArgumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"certificate: expected JSON, but {error}") from None


def _constant(name: str) -> NoReturn:
    refuse("certificate", "finite numbers", name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        refuse("certificate", "every field once", "a repeated one")
    return found
