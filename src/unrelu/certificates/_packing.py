"""Arrays in a certificate's text: little-endian bytes, compressed, in base 64."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np

from unrelu.certificates._fields import refuse

_MOST = 2 << 30  # bytes; a dense layer of 16000 x 16000
_LARGEST = int(np.iinfo(np.int32).max)


def pack(*arrays: np.ndarray) -> str:
    """Return the arrays, one after another, as text."""
    joined = b"".join(a.astype(a.dtype.newbyteorder("<"), copy=False).tobytes() for a in arrays)
    return base64.b64encode(zlib.compress(joined, 1)).decode("ascii")


def unpack(text: str, name: str, sizes: list[tuple[str, int]]) -> list[np.ndarray]:
    """Return the arrays, whose types and lengths are declared.

    No more than the declared bytes are ever decompressed.

    Args:
        text: What `pack` returned.
        name: Of the field, for messages.
        sizes: Type and length of each array.

    Raises:
        ArgumentError: If the text holds anything else.
    """
    total = sum(np.dtype(kind).itemsize * length for kind, length in sizes)
    if total > _MOST:
        refuse(name, f"at most {_MOST} bytes", f"a declared size of {total}")
    content = _decompressed(text, name, total)
    arrays, start = [], 0
    for kind, length in sizes:
        array = np.frombuffer(content, np.dtype(kind).newbyteorder("<"), length, start)
        arrays.append(array.astype(kind))
        start += array.nbytes
    return arrays


def _decompressed(text: str, name: str, total: int) -> bytes:
    try:
        packed = base64.b64decode(text.encode("ascii"), validate=True)
        stream = zlib.decompressobj()
        content = stream.decompress(packed, total + 1)
    except (ValueError, binascii.Error, zlib.error) as error:
        refuse(name, "base64 of a zlib stream", str(error))
    if len(content) != total or not stream.eof or stream.unused_data:
        found = f"more than {total}" if len(content) > total else f"{len(content)} or a damaged stream"
        refuse(name, f"{total} bytes, as the declared sizes say", found)
    return content


def small(numbers: np.ndarray) -> np.ndarray:
    """Return row and column numbers as certificates hold them, in four bytes each.

    Raises:
        ArgumentError: If one does not fit.
    """
    values = np.asarray(numbers)
    if ((values < 0) | (values > _LARGEST)).any():
        refuse("rows", f"numbers from 0 to {_LARGEST}", "others")
    return values.astype(np.int32)
