"""Normalisations that hand over what they forget (Puthawala et al. 2022, Definition 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast, final

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.layers import Statistics

if TYPE_CHECKING:
    from torch.nn.modules.batchnorm import _NormBase

NORMALISATIONS: tuple[type[nn.Module], ...] = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)
"""The modules that `normalisation_statistics` and `undo_normalisation` understand."""

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_BY_LAST_AXES = (nn.LayerNorm, nn.RMSNorm)


def depends_on_data(module: nn.Module) -> bool:
    """Say whether a normalisation divides by statistics of what it reads, not by stored numbers."""
    if isinstance(module, nn.LayerNorm | nn.RMSNorm | nn.GroupNorm):
        return True
    return module.training or cast("_NormBase", module).running_mean is None


def depends_on_batch(module: nn.Module) -> bool:
    """Say whether a module normalises the samples of a batch together."""
    return isinstance(module, _BATCH_NORMS) and depends_on_data(module)


def normalised(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Apply a batch normalisation by statistics of the batch, and leave its running averages as they are."""
    norm = cast("_NormBase", module)
    return nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)


def normalisation_statistics(module: nn.Module, x: torch.Tensor) -> Statistics:
    """Return what a normalisation subtracts and divides by.

    Args:
        module: One of `NORMALISATIONS`.
        x: What it reads, shape ``(N, ...)``.

    Returns:
        Mean and scale of every group of entries that share them: ``(N, groups)``; ``(1, channels)`` for batch
        normalisation. Differentiable in ``x``.
    """
    if not depends_on_data(module):
        stored = cast("_NormBase", module)
        mean, variance = cast("torch.Tensor", stored.running_mean), cast("torch.Tensor", stored.running_var)
        return Statistics(mean[None], torch.sqrt(variance[None] + stored.eps))
    axes = (0, 2) if isinstance(module, _BATCH_NORMS) else (2,)
    grouped = _grouped(module, x)
    if isinstance(module, nn.RMSNorm):
        eps = torch.finfo(x.dtype).eps if module.eps is None else module.eps
        scale = torch.sqrt(grouped.square().mean(dim=axes) + eps)
        return Statistics(torch.zeros_like(scale), scale)
    mean = grouped.mean(dim=axes, keepdim=True)
    variance = (grouped - mean).square().mean(dim=axes)
    shape = (1, -1) if len(axes) > 1 else (len(x), -1)
    scale = torch.sqrt(variance + cast("nn.LayerNorm", module).eps)
    return Statistics(mean.reshape(shape), scale.reshape(shape))


def undo_normalisation(module: nn.Module, y: torch.Tensor, statistics: Statistics) -> torch.Tensor:
    """Return ``(y - offset) / gain * scale + mean``.

    Args:
        module: One of `NORMALISATIONS`.
        y: Its outputs, shape ``(N, ...)``.
        statistics: Of its inputs, as `normalisation_statistics` returns them.

    Raises:
        ArgumentError: If a gain is 0 or the statistics have another shape.
    """
    grouped = _grouped(module, y)
    gain, offset = (_spread(module, name, grouped) for name in ("weight", "bias"))
    if offset is not None:
        grouped = grouped - offset
    if gain is not None:
        if not bool((gain != 0).all()):
            raise ArgumentError(
                f"{type(module).__name__}: expected gains other than 0, got 0: they lose entries"
            )
        grouped = grouped / gain
    samples = 1 if isinstance(module, _BATCH_NORMS) or not depends_on_data(module) else len(y)
    expected = (samples, grouped.shape[1])
    for name, part in (("mean", statistics.mean), ("scale", statistics.scale)):
        if tuple(part.shape) != expected:
            raise ArgumentError(f"statistics: expected a {name} of shape {expected}, got {tuple(part.shape)}")
    return (grouped * statistics.scale[..., None] + statistics.mean[..., None]).reshape(y.shape)


def _grouped(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """View samples as ``(N, groups, entries that share their statistics)``."""
    if isinstance(module, _BY_LAST_AXES):
        return x.reshape(len(x), -1, math.prod(module.normalized_shape))
    groups = module.num_groups if isinstance(module, nn.GroupNorm) else x.shape[1]
    return x.reshape(len(x), groups, -1)


def _spread(module: nn.Module, name: str, grouped: torch.Tensor) -> torch.Tensor | None:
    """Return gain or offset in a shape that fits the groups; ``None`` where the module has none."""
    parameter = cast("torch.Tensor | None", getattr(module, name, None))
    if parameter is None:
        return None
    if isinstance(module, _BY_LAST_AXES):
        return parameter.reshape(-1)
    groups, count = grouped.shape[1:]
    return parameter.repeat_interleave(groups * count // len(parameter)).reshape(groups, count)


@final
class InvertibleLayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` that can be undone with the statistics of its input.

    ``y = (x - mean) / scale * gain + offset`` forgets mean and scale and is injective given these: it is
    scalar-augmented injective (Puthawala et al. 2022, Definition 3). With ``eps > 0`` the scale follows from
    ``y``, badly conditioned where the variance is far above ``eps``: what `unrelu.decide` proves is given the
    means alone. All arguments are torch's.

    Example:
        >>> import torch, unrelu
        >>> norm = unrelu.nn.InvertibleLayerNorm(6).double()
        >>> x = torch.randn(4, 6, dtype=torch.float64)
        >>> bool(torch.allclose(norm.inverse(norm(x), norm.statistics(x)), x))
        True
    """

    def statistics(self, x: torch.Tensor) -> Statistics:
        """Return mean and scale, ``sqrt(variance + eps)``, of inputs of shape ``(N, ...)``."""
        return normalisation_statistics(self, x)

    def inverse(self, y: torch.Tensor, statistics: Statistics) -> torch.Tensor:
        """Return the input that has these statistics and whose output is ``y``.

        Raises:
            ArgumentError: If a gain is 0 or the statistics do not fit.
        """
        return undo_normalisation(self, y, statistics)


@final
class AugmentedLayerNorm(nn.Module):
    """Layer normalisation that passes mean and scale on as two more features, and so forgets nothing.

    ``x -> (gain * (x - mean) / scale + offset, mean, scale)`` along the last axis, with
    ``scale = sqrt(variance + eps)``: the scalar augmentation of Puthawala et al. 2022 as part of the output.
    `unrelu.decide` proves that it is injective where ``eps > 0``.

    Args:
        features: Size of the last axis; the output has ``features + 2``.
        eps: Added to the variance.
        elementwise_affine: Whether there are gain and offset.
        device: As in torch.
        dtype: As in torch.

    Example:
        >>> import torch, unrelu
        >>> norm = unrelu.nn.AugmentedLayerNorm(6).double()
        >>> x = torch.randn(4, 6, dtype=torch.float64)
        >>> norm(x).shape, bool(torch.allclose(norm.inverse(norm(x)), x))
        (torch.Size([4, 8]), True)
    """

    def __init__(
        self,
        features: int,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features, eps, elementwise_affine, device=device, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised features, their mean and their scale."""
        mean = x.mean(dim=-1, keepdim=True)
        variance = (x - mean).square().mean(dim=-1, keepdim=True)
        return torch.cat([self.norm(x), mean, torch.sqrt(variance + self.norm.eps)], dim=-1)

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Return the input whose output is ``y``, of shape ``(..., features + 2)``.

        Raises:
            ArgumentError: If ``y`` has another shape, or a gain is 0.
        """
        features = self.norm.normalized_shape[0]
        if y.shape[-1:] != (features + 2,):
            raise ArgumentError(f"y: expected shape (..., {features + 2}), got {tuple(y.shape)}")
        lines = y.reshape(-1, features + 2)
        statistics = Statistics(lines[:, features:-1], lines[:, -1:])
        x = undo_normalisation(self.norm, lines[:, :features], statistics)
        return x.reshape(*y.shape[:-1], features)
