"""Options of a convolution, as torch takes them, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError
from unrelu.nn.modules._conv_axis import Axis

Sizes: TypeAlias = int | Sequence[int]

_MODES = ("zeros", "circular")


def each_axis(name: str, value: Sizes, dims: int, least: int = 1) -> tuple[int, ...]:
    """Return one whole number for each spatial axis.

    Raises:
        ArgumentError: If they are others, or of another number.
    """
    values = tuple(value) if isinstance(value, Sequence) else (value,) * dims
    if len(values) != dims:
        raise ArgumentError(f"{name}: expected {dims} numbers, got {value!r}")
    return tuple(whole_number(name, one, least) for one in values)


def checked_axes(
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    padding_mode: str,
) -> tuple[Axis, ...]:
    """Return the geometry of all axes.

    Raises:
        ArgumentError: If the padding is of another kind, or along an axis inputs are left out, whatever their
            number.
    """
    if padding_mode not in _MODES:
        raise ArgumentError(f"padding_mode: expected one of {', '.join(_MODES)}, got {padding_mode!r}")
    lists = zip(kernel, stride, _sides(kernel, stride, padding, dilation), dilation, strict=True)
    axes = tuple(
        Axis(taps, step, *sides, spread, padding_mode == "circular" and any(sides))
        for taps, step, sides, spread in lists
    )
    for number, axis in enumerate(axes):
        if axis.window is None:
            raise ArgumentError(
                f"kernel_size: expected taps that read every input, got along spatial axis {number} "
                f"kernel {axis.taps}, stride {axis.stride}, padding {axis.before} and {axis.after} "
                f"({padding_mode}), dilation {axis.dilation}"
            )
    return axes


def _sides(
    kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int] | str, dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Return padding in front and behind for each axis, with torch's rule for ``padding="same"``.

    Raises:
        ArgumentError: If the word is another, or there is a stride.
    """
    if not isinstance(padding, str):
        return [(side, side) for side in padding]
    if padding == "same" and max(stride) == 1:
        totals = [spread * (taps - 1) for spread, taps in zip(dilation, kernel, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if padding != "valid":
        raise ArgumentError(f"padding: expected numbers, 'valid', or 'same' without stride, got {padding!r}")
    return [(0, 0)] * len(kernel)
