"""Injective networks behind the calling conventions of FrEIA and nflows, neither of which is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules._sequential import InjectiveSequential
from unrelu.nn.modules.undo import has_statistics, steps_of


@final
class FrEIAAdapter(nn.Module):
    """An injective network as an ``InvertibleModule`` of FrEIA 0.2: one tensor in a tuple, either way.

    The logarithm is ``1/2 log det JᵀJ``, the change of volume between spaces of different dimension, where
    FrEIA has ``log |det J|``; in reverse it has the other sign. Outputs off the range go back with a warning.

    FrEIA is given the class: ``sequence.append(FrEIAAdapter, model=model)`` in a ``SequenceINN``,
    ``Node(before, FrEIAAdapter, {"model": model})`` in a ``GraphINN``.

    Args:
        dims_in: Shapes of the inputs, without batch axis: one.
        dims_c: Shapes of conditions: none.
        model: The network.

    Raises:
        ArgumentError: If there are several inputs, or conditions, or the network needs statistics to go back.

    Example:
        >>> import torch, unrelu
        >>> model = unrelu.nn.InjectiveSequential(unrelu.nn.InjectiveLinear(3, 8), torch.nn.ReLU())
        >>> module = unrelu.nn.FrEIAAdapter([(3,)], model=model.double())
        >>> x = torch.randn(5, 3, dtype=torch.float64)
        >>> (y,), log_jac_det = module([x])
        >>> (back,), other = module([y], rev=True)
        >>> (
        ...     bool(torch.allclose(back, x)),
        ...     bool(torch.allclose(other, -log_jac_det)),
        ...     module.output_dims([(3,)]),
        ... )
        (True, True, [(8,)])
    """

    def __init__(
        self,
        dims_in: Sequence[tuple[int, ...]],
        dims_c: Sequence[tuple[int, ...]] | None = None,
        *,
        model: InjectiveSequential,
    ) -> None:
        super().__init__()
        if len(dims_in) != 1:
            raise ArgumentError(f"dims_in: expected one input, got {len(dims_in)}")
        if dims_c:
            raise ArgumentError(f"dims_c: expected no conditions, got {len(dims_c)}")
        _check_model(model)
        self.dims_in, self.dims_c, self.model = list(dims_in), list[tuple[int, ...]](), model

    def forward(
        self,
        x_or_z: Sequence[torch.Tensor],
        c: Sequence[torch.Tensor] | None = None,
        rev: bool = False,
        jac: bool = True,
    ) -> tuple[tuple[torch.Tensor], torch.Tensor]:
        """Return outputs and the change of volume, or inputs of outputs and its negative.

        Args:
            x_or_z: One tensor, shape ``(N, ...)``.
            c: Conditions: none.
            rev: Whether to go back.
            jac: Whether the change of volume is asked for; zeros are returned where it is not.

        Raises:
            ArgumentError: If there are several tensors, or conditions.
        """
        if len(x_or_z) != 1 or c:
            raise ArgumentError(
                f"x_or_z: expected one tensor and no conditions, got {len(x_or_z)}, {len(c or ())}"
            )
        given = x_or_z[0]
        if rev:
            x = self.model.inverse(given)
            return (x,), -self.model.log_volume(x) if jac else given.new_zeros(len(given))
        return (self.model(given),), self.model.log_volume(given) if jac else given.new_zeros(len(given))

    def output_dims(self, input_dims: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Return the shape of the output for one input shape, in a list."""
        (shape,) = input_dims
        return [self.model.output_shape(shape)]


@final
class NflowsAdapter(nn.Module):
    """An injective network as a ``Transform`` of nflows 0.14: outputs together with the change of volume.

    A density model maps data to noise: for a generator, which maps noise to data, that is the inverse, in
    nflows ``InverseTransform(adapter)``. The logarithm is ``1/2 log det JᵀJ``; the density is one on the
    image, and says nothing of data off it, for which there is a warning.

    Args:
        model: The network.

    Raises:
        ArgumentError: If the network needs statistics to go back.

    Example:
        >>> import torch, unrelu
        >>> model = unrelu.nn.InjectiveSequential(unrelu.nn.InjectiveLinear(3, 8), torch.nn.ReLU())
        >>> transform = unrelu.nn.NflowsAdapter(model.double())
        >>> x = torch.randn(5, 3, dtype=torch.float64)
        >>> y, logabsdet = transform(x)
        >>> back, other = transform.inverse(y)
        >>> bool(torch.allclose(back, x)), bool(torch.allclose(other, -logabsdet))
        (True, True)
    """

    def __init__(self, model: InjectiveSequential) -> None:
        super().__init__()
        _check_model(model)
        self.model = model

    def forward(
        self, inputs: torch.Tensor, context: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and the change of volume, shape ``(N,)``.

        Raises:
            ArgumentError: If there is a context.
        """
        _check_context(context)
        return self.model(inputs), self.model.log_volume(inputs)

    def inverse(
        self, inputs: torch.Tensor, context: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what ``forward`` maps to ``inputs``, and the negative change of volume there.

        Raises:
            ArgumentError: If there is a context.
        """
        _check_context(context)
        x = self.model.inverse(inputs)
        return x, -self.model.log_volume(x)


def _check_model(model: InjectiveSequential) -> None:
    """Refuse anything but an `InjectiveSequential` that goes back by itself.

    Raises:
        ArgumentError: If it is something else, or a module needs statistics.
    """
    if not isinstance(model, InjectiveSequential):
        raise ArgumentError(f"model: expected an InjectiveSequential, got {type(model).__name__}")
    for step in steps_of(model):
        if has_statistics(step.module):
            raise ArgumentError(f"model: expected modules that need no statistics to go back, got {step}")


def _check_context(context: torch.Tensor | None) -> None:
    if context is not None:
        raise ArgumentError(f"context: expected none, got a tensor of shape {tuple(context.shape)}")
