"""BLAS and LAPACK on symmetric matrices without Python's lock, so that threads work side by side.

`scipy.linalg.lapack` holds the lock during a call; the same routines are exported by
`scipy.linalg.cython_blas` and `scipy.linalg.cython_lapack`, and `ctypes` releases the lock around them.
Matrices are C-ordered and only their upper triangle is used (the lower one in Fortran's order).
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_BLAS = {"dsyrk", "ssyrk", "dtrsm", "strsm"}


@cache
def _routine(name: str, arguments: int) -> Callable[..., None]:
    """Return a routine all of whose arguments are pointers."""
    home = "cython_blas" if name in _BLAS else "cython_lapack"
    capsule = import_module(f"scipy.linalg.{home}").__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


def _call(name: str, *arguments: bytes | int | float | np.ndarray | ctypes._SimpleCData) -> None:
    """Call a routine with numbers and letters by reference and arrays by address."""
    kept = [_by_reference(a) for a in arguments]
    _routine(name, len(kept))(
        *(k.ctypes.data if isinstance(k, np.ndarray) else ctypes.addressof(k) for k in kept)
    )


def _typed(name: str, dtype: np.dtype, *numbers: float) -> tuple[Any, ...]:
    """Return the routine's name for a precision, and numbers in it."""
    if dtype == np.float32:
        return (f"s{name}", *map(ctypes.c_float, numbers))
    return (f"d{name}", *map(ctypes.c_double, numbers))


def _by_reference(argument: Any) -> Any:
    match argument:
        case bytes():
            return ctypes.c_char(argument)
        case int():
            return ctypes.c_int(argument)
        case float():
            return ctypes.c_double(argument)
        case _:
            return argument


def columns_product(rows: np.ndarray, add_to: np.ndarray | None = None) -> np.ndarray:
    """Return the upper triangle of ``AᵀA`` for a C-ordered ``A`` of shape ``(k, n)``; anything below.

    Args:
        rows: The matrix ``A``.
        add_to: Such a triangle that the product is added to, in place.
    """
    k, n = rows.shape
    out, keep = (np.empty((n, n)) if k else np.zeros((n, n)), 0.0) if add_to is None else (add_to, 1.0)
    if k:
        _call("dsyrk", b"L", b"N", n, k, 1.0, rows, max(n, 1), keep, out, max(n, 1))
    return out


def rows_product(rows: np.ndarray) -> np.ndarray:
    """Return the upper triangle of ``A Aᵀ`` for a C-ordered ``A`` of shape ``(k, n)``; anything below."""
    k, n = rows.shape
    out = np.empty((k, k), dtype=rows.dtype) if n else np.zeros((k, k), dtype=rows.dtype)
    if out.size and n:
        name, one, zero = _typed("syrk", rows.dtype, 1.0, 0.0)
        _call(name, b"L", b"T", k, n, one, rows, n, zero, out, k)
    return out


def potrf(matrix: np.ndarray) -> int:
    """Factor a symmetric matrix in place; return LAPACK's info, 0 for success."""
    info = ctypes.c_int(0)
    (name,) = _typed("potrf", matrix.dtype)
    _call(name, b"L", len(matrix), matrix, len(matrix), info)
    return info.value


def potrs(factor: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Solve with the factor of `potrf`, or a copy of it in single precision, for each row of ``v``."""
    out = np.array(v, dtype=factor.dtype, order="C")
    size = len(factor)
    (name,) = _typed("potrs", factor.dtype)
    _call(
        name,
        b"L",
        size,
        out.size // max(size, 1),
        factor,
        max(size, 1),
        out,
        max(size, 1),
        ctypes.c_int(0),
    )
    return out


def half_solve(factor: np.ndarray, v: np.ndarray, *, adjoint: bool = False) -> np.ndarray:
    """Solve ``Rᵀ u = v``, or ``R u = v``, for each row of ``v``, with ``matrix = Rᵀ R`` factored by `potrf`.

    Args:
        factor: What `potrf` left, shape ``(n, n)``, or a copy of it in single precision.
        v: Right-hand sides, shape ``(k, n)``.
        adjoint: Whether ``R u = v`` is meant.

    Returns:
        Solutions in the factor's precision.
    """
    out = np.array(v, dtype=factor.dtype, order="C")
    k, n = out.shape
    if out.size:
        name, one = _typed("trsm", factor.dtype, 1.0)
        _call(name, b"L", b"L", b"T" if adjoint else b"N", b"N", n, k, one, factor, n, out, n)
    return out


def triangular_inverse(factor: np.ndarray) -> np.ndarray:
    """Return ``R⁻¹`` for ``R`` of `potrf`, in the upper triangle; anything below."""
    out = factor.copy()
    _call("dtrtri", b"L", b"N", len(out), out, max(len(out), 1), ctypes.c_int(0))
    return out


def pbtrf(band: np.ndarray) -> int:
    """Factor a matrix in lower band storage, column after column, shape ``(n, bandwidth + 1)``, in place."""
    info = ctypes.c_int(0)
    _call("dpbtrf", b"L", band.shape[0], band.shape[1] - 1, band, band.shape[1], info)
    return info.value


def pbtrs(factor: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Solve with the factor of `pbtrf`."""
    out = np.array(v, dtype=np.float64)
    n, width = factor.shape
    _call("dpbtrs", b"L", n, width - 1, 1, factor, width, out, len(out), ctypes.c_int(0))
    return out
