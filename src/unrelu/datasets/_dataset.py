"""What every loader returns: inputs, labels and where they came from, checked once for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from unrelu.errors import ArgumentError, DataError

Kind = Literal["table", "image", "array"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples to analyse a network on.

    Args:
        name: What it was asked for by: a registered name or a path.
        inputs: Samples on axis 0, shape (N, ...), float32 or float64, finite.
        labels: Classes as integers, shape (N,); None where unknown.
        kind: ``table`` for shape (N, n), ``image`` for (N, C, H, W) with C of 1 or 3, else ``array``.
        class_names: Name of class 0, 1, ...; None where unknown.
        source: Citation, or where the file lies.

    Raises:
        DataError: No samples, NaN or infinity, a dtype other than float32 and float64, misfit labels.
    """

    name: str
    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None
    kind: Kind = "array"
    class_names: tuple[str, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        _check_inputs(self.name, self.inputs, self.kind)
        if self.labels is not None:
            _check_labels(self.name, self.labels, len(self.inputs), self.class_names)

    @property
    def layout(self) -> str | None:
        """Order of the axes behind the sample axis: ``CHW`` for images, None where it is not known."""
        return "CHW" if self.kind == "image" else None

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        return f"Dataset({self.name!r}, {self.kind}, shape {self.inputs.shape}, {self.inputs.dtype}{classes})"

    def take(self, limit: int) -> Dataset:
        """The first `limit` samples, or all where there are fewer.

        Raises:
            ArgumentError: `limit` is not a positive whole number.
        """
        if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 1:
            raise ArgumentError(f"limit: expected a whole number of at least 1, got {limit!r}")
        labels = None if self.labels is None else self.labels[:limit]
        return replace(self, inputs=self.inputs[:limit], labels=labels)

    def normalized(self, mean: npt.ArrayLike, std: npt.ArrayLike) -> Dataset:
        """The samples as ``(x - mean) / std``, in their dtype.

        Args:
            mean: One number; or one per channel of images, per feature of tables, per entry of other arrays.
            std: Likewise, positive.

        Raises:
            ArgumentError: Lengths that do not fit, numbers that are not finite, a std that is not positive.
        """
        shift, scale = self._per_feature("mean", mean), self._per_feature("std", std)
        if not (scale > 0).all():
            raise ArgumentError(f"std: expected positive numbers, got {scale.min()}")
        dtype = self.inputs.dtype
        return replace(self, inputs=(self.inputs - shift.astype(dtype)) / scale.astype(dtype))

    def _per_feature(self, name: str, value: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """`value` shaped so that it broadcasts against the inputs."""
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ArgumentError(f"{name}: expected numbers, got {value!r}") from None
        wanted = self.inputs.shape[1:2] if self.kind == "image" else self.inputs.shape[1:]
        if array.shape not in ((), wanted):
            what = "channels" if self.kind == "image" else "features"
            raise ArgumentError(f"{name}: expected one number or shape {wanted} ({what}), got {array.shape}")
        if not np.isfinite(array).all():
            raise ArgumentError(f"{name}: expected finite numbers, got {array[~np.isfinite(array)][0]}")
        return array[:, None, None] if self.kind == "image" and array.ndim else array


def kind_of(inputs: npt.NDArray[Any]) -> Kind:
    """What the shape says: a table, images with the channels first, or some other array."""
    if inputs.ndim == 2:
        return "table"
    return "image" if inputs.ndim == 4 and inputs.shape[1] in (1, 3) else "array"


def _check_inputs(name: str, inputs: npt.NDArray[Any], kind: Kind) -> None:
    if inputs.ndim < 2:
        raise DataError(
            f"{name}: expected samples on axis 0 and their entries behind, got shape {inputs.shape}"
        )
    if inputs.size == 0:
        raise DataError(f"{name}: expected at least one sample with one entry, got shape {inputs.shape}")
    if inputs.dtype not in (np.float32, np.float64):
        raise DataError(f"{name}: expected float32 or float64, got {inputs.dtype}")
    if kind not in ("array", kind_of(inputs)):
        raise DataError(f"{name}: shape {inputs.shape} does not fit the kind {kind!r}")
    finite = np.isfinite(inputs)
    if not finite.all():
        first = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), finite.shape))
        count = finite.size - int(np.count_nonzero(finite))
        raise DataError(f"{name}: expected finite numbers, got {count} NaN or infinite, the first at {first}")


def _check_labels(
    name: str, labels: npt.NDArray[Any], count: int, class_names: tuple[str, ...] | None
) -> None:
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{name}: expected labels as {count} integers, got shape {labels.shape} of {labels.dtype}"
        )
    if class_names is not None and (labels.min() < 0 or labels.max() >= len(class_names)):
        raise DataError(
            f"{name}: expected labels from 0 to {len(class_names) - 1}, got {labels.min()} to {labels.max()}"
        )
