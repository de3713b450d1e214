"""Messages in the protocol buffers' wire format, as lists of numbered fields."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from unrelu.errors import ModelError

Field = int | bytes


def message(content: bytes, where: str) -> dict[int, list[Field]]:
    """Return the fields of a message by number: integers for varints, bytes for all else.

    Args:
        content: The message.
        where: What it is, for errors.

    Raises:
        ModelError: If the bytes are no message.
    """
    found: dict[int, list[Field]] = {}
    for number, value in _fields(content, where):
        found.setdefault(number, []).append(value)
    return found


def _fields(content: bytes, where: str) -> Iterator[tuple[int, Field]]:
    position = 0
    while position < len(content):
        key, position = _varint(content, position, where)
        kind = key & 7
        if kind == 0:
            value, position = _varint(content, position, where)
            yield key >> 3, value
            continue
        length = {1: 8, 5: 4}.get(kind, -1)
        if kind == 2:
            length, position = _varint(content, position, where)
        if not 0 <= length <= len(content) - position:
            raise ModelError(f"{where}: damaged, at byte {position} of {len(content)}")
        yield key >> 3, content[position : position + length]
        position += length


def _varint(content: bytes, position: int, where: str) -> tuple[int, int]:
    value = 0
    for k in range(10):
        if position >= len(content):
            break
        byte = content[position]
        position += 1
        value |= (byte & 127) << (7 * k)
        if byte < 128:
            return value, position
    raise ModelError(f"{where}: damaged, at byte {position} of {len(content)}")


def signed(value: Field) -> int:
    """Return a varint as a signed 64-bit number."""
    number = value if isinstance(value, int) else 0
    return (number & (1 << 64) - 1) - (1 << 64 if number >> 63 & 1 else 0)


def integers(values: list[Field], where: str) -> list[int]:
    """Return repeated varints, packed or not."""
    out: list[int] = []
    for value in values:
        if isinstance(value, int):
            out.append(signed(value))
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position, where)
            out.append(signed(number))
    return out


def text(values: list[Field] | None) -> str:
    """Return a string, empty where there is none."""
    last = values[-1] if values else b""
    return last.decode("utf-8", "replace") if isinstance(last, bytes) else ""


def blobs(values: list[Field] | None) -> list[bytes]:
    """Return repeated messages or byte strings."""
    return [value for value in values or [] if isinstance(value, bytes)]


def single(value: Field) -> float:
    """Return a 32-bit floating-point number."""
    return float(struct.unpack("<f", value)[0]) if isinstance(value, bytes) and len(value) == 4 else 0.0
