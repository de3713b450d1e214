"""What the way back through a sequence of modules found."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from unrelu.errors import NumericalWarning


@dataclass(frozen=True, eq=False)
class Inversion:
    """Inputs from outputs of a sequence of modules, with what tells whether to trust them.

    What an output rounds, its input loses: that times ``1 / lower_lipschitz()`` at most, where this is
    known. An input far smaller than the biases may be lost in them, though its residual is small.

    Attributes:
        x: Inputs, shape ``(N, *in_shape)``. Of outputs that are off the range, what the steps made of them,
            each with its own least-squares answer.
        residual: ``||f(x) - y|| / ||y||``, or the numerator alone where ``y = 0``; of the order of rounding
            where ``y`` is an output. Shape ``(N,)``.
        unique: Whether every step on the way has one answer only; false where a plain layer's active rows
            leave its input open. Shape ``(N,)``.
        converged: Whether the search behind a projection came to an end; true where there is none.
            Shape ``(N,)``.
    """

    x: torch.Tensor
    residual: torch.Tensor
    unique: torch.Tensor
    converged: torch.Tensor

    def warn(self) -> None:
        """Say with a `unrelu.errors.NumericalWarning` which inputs are not to be trusted, if any are."""
        tolerance = torch.finfo(self.residual.dtype).eps ** 0.5
        off = ~(self.residual <= tolerance)
        count = len(off)
        told = []
        if bool(off.any()):
            told.append(
                f"{int(off.sum())} of {count} outputs are off the range (relative residual up to "
                f"{float(self.residual.max()):.2g})"
            )
        if not bool(self.unique.all()):
            told.append(f"{int((~self.unique).sum())} of {count} outputs have several inputs")
        if not bool(self.converged.all()):
            told.append(f"the search for {int((~self.converged).sum())} of {count} inputs did not converge")
        if told:
            warnings.warn(f"inverse: {'; '.join(told)}; see invert", NumericalWarning, stacklevel=3)
