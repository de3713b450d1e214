"""The object of every question: one layer ``y = relu(W x + b)``."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, final

import torch
from torch import nn

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.certificates import LayerRecord
from unrelu.errors import ArgumentError
from unrelu.layers.maps import Convolution, Dense, LinearMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


@final
class ReLULayer:
    r"""The map :math:`x \mapsto \max(0, W x + b)` with ``W`` of shape ``(m, n)`` and ``b`` of shape ``(m,)``.

    The bias has the sign that torch uses. Numbers are copied to float64, exactly from any smaller dtype: a
    module that is trained on does not change the layer.
    Samples may be flat or in the layer's own input shape, with leading batch axes; numpy in gives numpy out,
    torch in gives torch out on the same device.

    Attributes:
        linear: The matrix, known by its structure (`LinearMap`).
        bias: The bias ``b``, a float64 tensor of shape ``(m,)``.
        name: Name inside its network, or ``"relu"``.
        node: Name of the ReLU node in the model that it was traced from.
        source: Name of the activation that is its input: ``"input"`` or an earlier node.
        rounded: Whether the bias was rounded when several maps were folded into one.

    Example:
        >>> import numpy as np
        >>> from unrelu.layers import ReLULayer
        >>> layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> layer.apply(np.array([2.0, -3.0]))
        array([2., 0., 1.])
    """

    def __init__(
        self,
        weight: Array | LinearMap,
        bias: Array | None = None,
        *,
        name: str = "relu",
        node: str = "relu",
        source: str = "input",
        rounded: bool = False,
    ) -> None:
        """Check and store the numbers.

        Raises:
            ArgumentError: If ``weight`` is not a finite ``(m, n)`` array with ``n >= 1``, or ``bias`` does
                not have ``m`` finite entries.
        """
        self.linear = weight if isinstance(weight, LinearMap) else Dense(_matrix(weight))
        if self.linear.n < 1:
            raise ArgumentError(f"weight: expected at least one column, got shape {(self.m, self.n)}")
        if bias is None:
            self.bias = torch.zeros(self.m, dtype=self.linear.dtype, device=self.linear.device)
        else:
            self.bias = to_tensor(bias, "bias", device=self.linear.device, copy=True)
            if self.bias.shape != (self.m,):
                raise ArgumentError(f"bias: expected shape ({self.m},), got {tuple(self.bias.shape)}")
        self.name, self.node, self.source, self.rounded = name, node, source, rounded

    @classmethod
    def from_module(cls, module: nn.Module, input_shape: Sequence[int] | None = None) -> Self:
        """Take the affine map of a torch module that a ReLU follows.

        Args:
            module: ``nn.Linear``, ``nn.Conv1d``, ``nn.Conv2d`` or ``nn.Conv3d``; stride, padding, dilation
                and groups as in torch. Whole networks go through `trace`.
            input_shape: ``(channels, *spatial)``, needed for convolutions.

        Raises:
            ArgumentError: If the module is of another kind, pads with anything but zeros, or does not fit
                ``input_shape``.
        """
        if isinstance(module, nn.Linear):
            return cls(module.weight, module.bias)
        if not isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            kind = type(module).__name__
            raise ArgumentError(
                f"module: expected nn.Linear or nn.Conv1d/2d/3d, got {kind}; use unrelu.trace"
            )
        if module.padding_mode != "zeros":
            raise ArgumentError(f"module: expected padding_mode 'zeros', got {module.padding_mode!r}")
        if input_shape is None:
            raise ArgumentError("input_shape: a convolution needs (channels, *spatial)")
        linear = Convolution(
            to_tensor(module.weight, "weight", copy=True),
            tuple(input_shape),
            stride=module.stride,
            padding=_padding(module),
            dilation=module.dilation,
            groups=module.groups,
        )
        if module.bias is None:
            return cls(linear)
        return cls(linear, module.bias.detach().repeat_interleave(math.prod(linear.out_shape[1:])))

    def __repr__(self) -> str:
        """Name the layer and its sizes."""
        return f"ReLULayer({self.name!r}, m={self.m}, n={self.n}, {type(self.linear).__name__})"

    @property
    def m(self) -> int:
        """Number of outputs, the rows of ``W``."""
        return self.linear.m

    @property
    def n(self) -> int:
        """Number of inputs, the columns of ``W``."""
        return self.linear.n

    @property
    def exact(self) -> bool:
        """Whether matrix and bias hold the model's own numbers: folding them rounded nothing."""
        return self.linear.exact and not self.rounded

    @property
    def redundancy(self) -> float:
        """The redundancy (expansivity) ``m / n``."""
        return self.m / self.n

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of one input sample."""
        return self.linear.in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of one output sample."""
        return self.linear.out_shape

    def preactivation(self, x: Array) -> Array:
        """Return ``W x + b`` for samples ``x`` of shape ``(..., n)`` or ``(..., *in_shape)``.

        Returns:
            Shape ``(..., m)`` for flat samples, ``(..., *out_shape)`` otherwise.

        Raises:
            ArgumentError: If the shape does not fit or an entry is not finite.
        """
        tensor, batch, flat = self.samples(x)
        z = self.linear.apply(tensor) + self.bias
        return like(z.reshape(*batch, *((self.m,) if flat else self.out_shape)), x)

    def apply(self, x: Array) -> Array:
        """Return ``relu(W x + b)``; shapes as in `preactivation`."""
        return self.preactivation(x).clip(min=0)

    def samples(self, x: Array, name: str = "x") -> tuple[torch.Tensor, tuple[int, ...], bool]:
        """Return inputs as a ``(batch, n)`` tensor, their batch axes, and whether they came flat."""
        tensor = to_tensor(x, name, dtype=self.linear.dtype, device=self.bias.device)
        return flatten_samples(tensor, self.in_shape, name)

    def rows(self, index: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the rows ``index`` of ``W`` as a dense tensor."""
        return self.linear.rows(index)

    def dense(self) -> torch.Tensor:
        """Return ``W`` as a dense ``(m, n)`` tensor."""
        return self.linear.dense()

    def row_norms(self) -> torch.Tensor:
        """Return the Euclidean norms of the rows, shape ``(m,)``."""
        return self._row_norms

    @cached_property
    def _row_norms(self) -> torch.Tensor:
        return self.linear.row_norms()

    def record(self) -> LayerRecord:
        """Return the numbers as certificates hold them: float64, sparse by rows."""
        return self._record

    @cached_property
    def _record(self) -> LayerRecord:
        layer = self if self.linear.dtype == torch.float64 else self.to(dtype=torch.float64)
        linear, bias = layer.linear, layer.bias.detach().cpu().numpy()
        if not linear.is_sparse:
            weight = linear.dense().detach().cpu().numpy()
            return LayerRecord.dense(weight, bias, name=self.name, node=self.node, exact=self.exact)
        rows = linear.csr()
        return LayerRecord(
            self.name, self.node, self.n, rows.indptr, rows.indices, rows.data, bias, self.exact
        )

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> ReLULayer:
        """Return the same layer on another device or in another floating dtype."""
        moved = ReLULayer(
            self.linear.to(device=device, dtype=dtype),
            name=self.name,
            node=self.node,
            source=self.source,
            rounded=self.rounded,
        )
        moved.bias = self.bias.to(device=device, dtype=dtype)
        return moved


def _matrix(weight: Array) -> torch.Tensor:
    tensor = to_tensor(weight, "weight", copy=True)
    if tensor.dim() != 2:
        raise ArgumentError(f"weight: expected shape (m, n), got {tuple(tensor.shape)}")
    return tensor


def _padding(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> tuple[tuple[int, int], ...]:
    """Return zeros before and after for each axis, with torch's rule for ``padding='same'``."""
    if module.padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(module.padding, str):  # "valid"
        return ((0, 0),) * len(module.kernel_size)
    return tuple((pad, pad) for pad in module.padding)
