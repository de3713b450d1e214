"""From the dtypes that files hold to those that a dataset holds, without changing a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from unrelu.errors import DataError

INPUT_NAMES = ("inputs", "x", "data", "images")
LABEL_NAMES = ("labels", "y")
# beyond it float64 skips integers
_LARGEST_EXACT = 2**53


def check_dtype(where: str, dtype: np.dtype[Any]) -> None:
    """Refuse what does not hold real numbers of at most 64 bits.

    Raises:
        DataError: It is another dtype, Python objects for instance.
    """
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, which are never unpickled; expected real numbers")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise DataError(f"{where}: expected real numbers of at most 64 bits, got dtype {dtype}")


def as_inputs(where: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers as float32 where that holds every value of the dtype, else as float64; never rescaled.

    Raises:
        DataError: Not real numbers, or integers that float64 cannot hold.
    """
    check_dtype(where, array.dtype)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        largest = max(abs(int(array.min())), abs(int(array.max())))
        if largest > _LARGEST_EXACT:
            raise DataError(f"{where}: expected integers up to 2**53, got one of size {largest}")
    single = np.can_cast(array.dtype, np.float32)
    return array.astype(np.float32 if single else np.float64, copy=False)


def as_labels(where: str, array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Whole numbers, stored in any real dtype, as int64.

    Raises:
        DataError: They are not whole numbers.
    """
    check_dtype(where, array.dtype)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (np.abs(array) <= _LARGEST_EXACT)
        whole &= np.where(whole, array, 0.5) % 1 == 0
        if not whole.all():
            raise DataError(f"{where}: expected whole numbers as labels, got {array[~whole][0]}")
    return array.astype(np.int64)


def choose(where: str, names: Sequence[str]) -> tuple[str, str | None]:
    """Which of several named arrays are the inputs and which the labels, by name or by being alone.

    Raises:
        DataError: That cannot be told; the message lists what is there.
    """
    labels = [name for name in names if name.lower() in LABEL_NAMES] if len(names) > 1 else []
    others = [name for name in names if name not in labels]
    named = [name for name in others if name.lower() in INPUT_NAMES]
    inputs = named or others
    if len(inputs) != 1 or len(labels) > 1:
        raise DataError(
            f"{where}: expected one array, or one named {', '.join(INPUT_NAMES)} and labels named "
            f"{', '.join(LABEL_NAMES)}; found {', '.join(names) or 'none'}"
        )
    return inputs[0], labels[0] if labels else None
