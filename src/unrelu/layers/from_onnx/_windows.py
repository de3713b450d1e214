"""How convolution and pooling nodes lay their windows over an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrelu.layers.from_onnx._file import check_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers._operations import Pads
    from unrelu.layers.from_onnx._node import Operation


@dataclass(frozen=True)
class Windows:
    """Sizes of windows, an entry a spatial axis; ``padding`` counts before and after."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Pads

    @property
    def span(self) -> tuple[int, ...]:
        """Length from the first tap of a window to its last."""
        return tuple((taps - 1) * step + 1 for taps, step in zip(self.kernel, self.dilation, strict=True))

    def padded(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Return the size of an image with its padding."""
        return tuple(length + sum(pads) for length, pads in zip(spatial, self.padding, strict=True))

    def count(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Return the number of windows along every axis of an image."""
        return tuple(
            max((length - span) // step + 1, 0)
            for length, span, step in zip(self.padded(spatial), self.span, self.stride, strict=True)
        )


def image_of(op: Operation, shape: tuple[int, ...], dims: int | None = None) -> tuple[int, ...]:
    """Return the spatial shape of an input ``(1, channels, *spatial)`` with 1 to 3 spatial axes."""
    spatial = shape[2:]
    if not 1 <= len(spatial) <= 3 or (dims is not None and len(spatial) != dims) or shape[0] != 1:
        wanted = "1 to 3" if dims is None else dims
        raise op.refuse(f"expected an input of shape (1, channels, {wanted} spatial axes), got {shape}")
    return spatial


def read_sizes(op: Operation, kernel: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return stride and dilation."""
    ones = [1] * len(kernel)
    sizes = []
    for name in ("strides", "dilations"):
        size = op.attribute(name) or ones
        if len(size) != len(kernel) or min(size) < 1:
            raise op.refuse(f"{name}: expected {len(kernel)} positive numbers, got {size}")
        sizes.append(tuple(size))
    return sizes[0], sizes[1]


def read_pads(op: Operation, dims: int) -> Pads:
    """Return the explicit padding."""
    pads = op.attribute("pads") or [0] * (2 * dims)
    if len(pads) != 2 * dims or min(pads) < 0:
        raise op.refuse(f"pads: expected {2 * dims} numbers of at least 0, got {pads}")
    return tuple(zip(pads[:dims], pads[dims:], strict=True))


def read_auto_pad(op: Operation) -> str:
    """Return the rule by which padding is chosen."""
    rule = op.attribute("auto_pad", "NOTSET") or "NOTSET"
    if rule not in {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}:
        raise op.refuse(f"auto_pad {rule!r} is not known")
    return rule


def read_windows(op: Operation, kernel: Sequence[int], spatial: Sequence[int]) -> Windows:
    """Return the windows that the attributes describe over an image of size ``spatial``."""
    dims = len(kernel)
    stride, dilation = read_sizes(op, kernel)
    pads, rule = read_pads(op, dims), read_auto_pad(op)
    windows = Windows(tuple(kernel), stride, dilation, pads if rule == "NOTSET" else ((0, 0),) * dims)
    if rule in {"NOTSET", "VALID"}:
        return windows
    # As many windows as strides begin in the image.
    totals = [
        max((-(-length // step) - 1) * step + span - length, 0)
        for length, step, span in zip(spatial, stride, windows.span, strict=True)
    ]
    return Windows(windows.kernel, stride, dilation, tuple(split_padding(t, rule) for t in totals))


def split_padding(total: int, rule: str) -> tuple[int, int]:
    """Divide padding between the two sides; the odd one comes last under ``SAME_UPPER``, else first."""
    small, large = total // 2, total - total // 2
    return (small, large) if rule == "SAME_UPPER" else (large, small)


def pooling_windows(op: Operation, spatial: Sequence[int]) -> tuple[Windows, tuple[int, ...]]:
    """Return the windows of a pooling node, and how far the last ones reach behind the padding."""
    kernel = op.attribute("kernel_shape")
    if len(kernel) != len(spatial) or min(kernel) < 1:
        raise op.refuse(f"kernel_shape: expected {len(spatial)} positive numbers, got {kernel}")
    windows = read_windows(op, kernel, spatial)
    check_size(windows.padded(spatial), f"node {op.name!r}")
    check_size(kernel, f"node {op.name!r}")
    up = bool(op.attribute("ceil_mode", 0))
    beyond = []
    for length, step, span, (before, after) in zip(
        spatial, windows.stride, windows.span, windows.padding, strict=True
    ):
        if max(before, after) >= span:
            raise op.refuse(f"padding {(before, after)} is not smaller than the window {span}")
        room = length + before + after - span
        if room < 0 and not (up and room > -step):
            raise op.refuse(f"the image {tuple(spatial)} is smaller than the window")
        last = -(-room // step) if up else room // step
        # A window that would begin behind the image sees nothing of it.
        if last * step >= length + before:
            last -= 1
        beyond.append(max(last * step - room, 0))
    return windows, tuple(beyond)
