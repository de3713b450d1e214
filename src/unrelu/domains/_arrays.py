"""One code path for numpy arrays and torch tensors, without importing torch before the caller did."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from unrelu.errors import ArgumentError

# Either kind of array: a union would make mypy reject every arithmetic operation on it.
Array: TypeAlias = Any
# What parameters may be given as: a number, a sequence of numbers, an array or a tensor.
Numbers: TypeAlias = Any
Floats: TypeAlias = npt.NDArray[np.float64]

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor
    Generator: TypeAlias = torch.Generator
    Dtype: TypeAlias = torch.dtype
    Device: TypeAlias = torch.device | str
else:  # a run-time type checker must find the names, and torch stays unimported
    Tensor = Generator = Dtype = Device = Any


def is_tensor(x: object) -> bool:
    """Whether `x` is a torch tensor; while nobody has imported torch, nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def namespace(x: Array) -> ModuleType:
    """The module, torch or numpy, whose functions act on `x`."""
    return sys.modules["torch"] if is_tensor(x) else np


def as_numpy(name: str, value: object) -> npt.NDArray[Any]:
    """A number, sequence, array or tensor as a numpy array of real numbers (integer or floating dtype).

    Raises:
        ArgumentError: It is ragged, or holds something other than real numbers.
    """
    if is_tensor(value):
        tensor: Array = value
        value = tensor.detach().cpu().numpy() if not tensor.is_floating_point() else _double(tensor)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"{name}: expected numbers in a regular array ({error})") from None
    if array.dtype.kind not in "iuf":
        raise ArgumentError(f"{name}: expected real numbers, got dtype {array.dtype}")
    return array


def _double(tensor: Array) -> Array:
    """A floating tensor as numpy float64 (numpy has no bfloat16)."""
    return tensor.detach().cpu().double().numpy()


def as_points(name: str, x: object, dimension: int | None, *, double: bool = False) -> Array:
    """`x` of shape (..., n) as a floating array of its own kind; float64 if `double` or if integers.

    Raises:
        ArgumentError: Not real numbers, no axis, or a last axis that is not `dimension`.
    """
    points = _floating_tensor(name, x, double) if is_tensor(x) else _floating_array(name, x, double)
    if points.ndim == 0 or points.shape[-1] == 0:
        raise ArgumentError(f"{name}: expected points of shape (..., n), got shape {tuple(points.shape)}")
    if dimension is not None and points.shape[-1] != dimension:
        raise ArgumentError(f"{name}: expected points with {dimension} coordinates, got {points.shape[-1]}")
    return points


def _floating_tensor(name: str, x: Array, double: bool) -> Array:
    if x.is_complex() or x.dtype == sys.modules["torch"].bool:
        raise ArgumentError(f"{name}: expected real numbers, got dtype {x.dtype}")
    return x.double() if double or not x.is_floating_point() else x


def _floating_array(name: str, x: object, double: bool) -> Array:
    array = as_numpy(name, x)
    return array.astype(np.float64, copy=False) if double or array.dtype.kind in "iu" else array


def constant(value: float | Floats, like: Array) -> Array:
    """A stored parameter as an array of the kind, dtype and device of `like`."""
    if is_tensor(like):
        # a copy, because torch warns about the read-only arrays that domains keep
        return sys.modules["torch"].as_tensor(np.array(value), dtype=like.dtype, device=like.device)
    return np.asarray(value, dtype=like.dtype)


def norms(x: Array) -> Array:
    """Euclidean norms over the last axis, which is kept; scaled first, so that 1e200 does not overflow."""
    if is_tensor(x):
        scale = x.abs().amax(dim=-1, keepdim=True)
        scale = scale.masked_fill(scale == 0, 1.0)
        return scale * (x / scale).square().sum(dim=-1, keepdim=True).sqrt()
    scale = np.abs(x).max(axis=-1, keepdims=True)
    scale = np.where(scale == 0, 1, scale)
    return scale * np.sqrt(np.square(x / scale).sum(axis=-1, keepdims=True))
