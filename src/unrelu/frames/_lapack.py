"""LAPACK's Cholesky routines without Python's lock, so that threads work side by side.

`scipy.linalg.lapack` holds the lock during a call; the same routines are exported by
`scipy.linalg.cython_lapack`, and `ctypes` releases the lock around them. Arrays are changed in place.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


@cache
def _routine(name: str, arguments: int) -> Callable[..., None]:
    """Return a routine whose first argument is ``uplo`` and all others are pointers."""
    from scipy.linalg import cython_lapack

    capsule = cython_lapack.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None, ctypes.c_char_p, *[ctypes.c_void_p] * (arguments - 1))(address)


def potrf(matrix: np.ndarray) -> int:
    """Factor a symmetric C-ordered matrix; its upper triangle is overwritten with ``Lᵀ``. Return LAPACK's info."""
    return _call("dpotrf", len(matrix), matrix, len(matrix))


def potrs(factor: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Solve with the factor of `potrf`."""
    out = v.copy()
    _call("dpotrs", len(factor), 1, factor, len(factor), out, len(out))
    return out


def pbtrf(band: np.ndarray) -> int:
    """Factor a matrix in lower band storage, stored column after column: shape ``(n, bandwidth + 1)``, C order."""
    return _call("dpbtrf", band.shape[0], band.shape[1] - 1, band, band.shape[1])


def pbtrs(factor: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Solve with the factor of `pbtrf`."""
    out = v.copy()
    _call("dpbtrs", factor.shape[0], factor.shape[1] - 1, 1, factor, factor.shape[1], out, len(out))
    return out


def _call(name: str, *arguments: Any) -> int:
    """Call a routine with whole numbers by reference and arrays by address; return its ``info``."""
    info = ctypes.c_int(0)
    numbers = [ctypes.c_int(a) if isinstance(a, int) else a for a in arguments]
    pointers = [ctypes.byref(a) if isinstance(a, ctypes.c_int) else a.ctypes.data for a in numbers]
    _routine(name, len(arguments) + 2)(b"L", *pointers, ctypes.byref(info))
    return info.value
