"""Convolutions that a ReLU cannot spoil (Puthawala et al. 2022, Corollary 1 and domain decomposition)."""

from __future__ import annotations

from typing import ClassVar, final

from unrelu.nn.modules._conv_base import InjectiveConv


@final
class InjectiveConv1d(InjectiveConv):
    """Drop-in for ``nn.Conv1d`` whose composition with ReLU is injective; all about it: `InjectiveConv2d`.

    Example:
        >>> import torch, unrelu
        >>> layer = unrelu.nn.InjectiveConv1d(2, 10, kernel_size=5, stride=2, padding=2)
        >>> x = torch.randn(3, 2, 40)
        >>> bool(torch.allclose(layer.inverse(torch.relu(layer(x))), x, atol=1e-5))
        True
    """

    dims: ClassVar[int] = 1


@final
class InjectiveConv2d(InjectiveConv):
    r"""Drop-in for ``nn.Conv2d`` whose composition with ReLU is injective, during and after training.

    In each group of channels the weight is ``[s K; -s K; F]`` with kernels ``K`` that together determine an
    image, the scale ``s = sqrt(2)`` and free kernels ``F``; the bias is ``[b; -b; c]``. Of every pair of
    opposite rows one is weakly active at each input, so the active rows always span, and the difference
    ``relu(s K x + b) - relu(-s K x - b)`` is ``s K x + b``, from which ``x`` follows.

    ``K`` has a *window* of taps, as many along each axis as the stride, on which it is an orthogonal matrix:
    each input is read in one window. Further taps are added, with norms whose sum is at most ``rho =
    (condition - 1) / (condition + 1)``, so that the singular values of ``K`` lie between ``1 - rho`` and
    ``1 + rho`` on images of any size, padded with zeros or circularly. With ``condition=1`` pairs see their
    window alone, and only free channels the whole kernel.

    So ``out_channels >= 2 * in_channels * prod(stride)`` will do where the padding lets a window reach all
    inputs, as ``kernel_size // 2`` does. With less padding windows have to be larger, and overlap: with
    stride 1 and none they are the whole kernel. Then the condition number may be larger, by the root of the
    ratio in which inputs are read most and least often.

    Initially windows are uniformly random orthogonal matrices, further taps have half the norm that they may
    have, ``F`` is as He et al. (2015) have it, and biases are 0: on average, activations have about the mean
    square of the inputs.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: A number, or one for each axis.
        stride: Likewise; no larger than the kernel.
        padding: Likewise, or ``"same"`` or ``"valid"``.
        dilation: Likewise; without common divisor with the stride.
        groups: As in torch.
        bias: Whether there is a bias.
        padding_mode: ``"zeros"`` or ``"circular"``.
        device: As in torch.
        dtype: As in torch.
        condition: Bound of the condition number of ``K``, at least 1, whatever the parameters are.

    Raises:
        ArgumentError: If an option is out of range, there are too few output channels, or some inputs are
            never read.

    Example:
        >>> import torch, unrelu
        >>> layer = unrelu.nn.InjectiveConv2d(3, 16, kernel_size=3, padding=1)
        >>> x = torch.randn(5, 3, 8, 8)
        >>> bool(torch.allclose(layer.inverse(torch.relu(layer(x))), x, atol=1e-5))
        True
        >>> network = unrelu.trace(torch.nn.Sequential(layer, torch.nn.ReLU()), x)
        >>> print(unrelu.decide(network).verdict)
        injective
    """

    dims: ClassVar[int] = 2


@final
class InjectiveConv3d(InjectiveConv):
    """Drop-in for ``nn.Conv3d`` whose composition with ReLU is injective; all about it: `InjectiveConv2d`.

    Example:
        >>> import torch, unrelu
        >>> layer = unrelu.nn.InjectiveConv3d(1, 16, kernel_size=2, stride=2)
        >>> x = torch.randn(3, 1, 4, 4, 4)
        >>> bool(torch.allclose(layer.inverse(torch.relu(layer(x))), x, atol=1e-5))
        True
    """

    dims: ClassVar[int] = 3
