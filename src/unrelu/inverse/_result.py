"""What inversion answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unrelu.arrays import Array


@dataclass(frozen=True)
class InverseResult:
    """What a batch of layer outputs gives back of the inputs.

    Attributes:
        x: Reconstructions, float64, shape ``(..., n)`` for flat outputs, else ``(..., *in_shape)``.
        unique: Whether ``y`` is proved to have no other preimage than ``x``, shape ``(...,)``; ``x`` itself
            is as accurate as ``error_bound`` says. Elsewhere ``x`` is the minimum-norm solution of the
            equations that the output states, and of the inequalities where a domain was given.
        residual: ``||relu(W x + b) - y|| / ||y||``, or the numerator alone where ``y = 0``; shape ``(...,)``.
            Where it is not small, ``y`` is not an output of the layer, or not one of a minimum-norm input.
        condition: ``sigma_max / sigma_min`` of the strictly active rows, estimated by Lanczos to a few per
            cent; over non-zero singular values where the rows do not span. NaN where unknown or nothing is
            active. Shape ``(...,)``.
        error_bound: Bound of ``||x - x'||`` for every input ``x'`` whose output, but for rounding or the
            noise that was stated, is ``y``: residual and rounding on the active rows over ``sigma_min``. It
            is as good as the estimate of ``sigma_min``, for which a tenth is allowed. Infinite where ``x`` is
            not proved unique, or the noise has no bound. Shape ``(...,)``.
        expected_error: ``(E ||x - x'||^2)^(1/2)`` for the noise that was stated, by random signs to a tenth
            or two; 0 where none was. NaN where unknown. Shape ``(...,)``.
        method: What gave each reconstruction, a `unrelu.inverse.Method`; always a numpy array of strings,
            shape ``(...,)``.
    """

    x: Array
    unique: Array
    residual: Array
    condition: Array
    error_bound: Array
    expected_error: Array
    method: Array


@dataclass(frozen=True)
class LayerInverse:
    """What the way back through one layer of a network kept.

    Attributes:
        name: The layer's name, ``"output"`` for the affine map behind the last ReLU.
        n: Its inputs.
        m: Its outputs.
        loses: Whether it has fewer outputs than inputs: no output then tells its input.
        unique: Whether each output is proved to have one input only, given that it is the right output;
            shape ``(...,)``.
        residual: As in `InverseResult`.
        condition: Likewise.
    """

    name: str
    n: int
    m: int
    loses: bool
    unique: Array
    residual: Array
    condition: Array


@dataclass(frozen=True)
class NetworkInverse:
    """What a batch of network outputs gives back of the inputs.

    Attributes:
        x: Reconstructions, shape ``(..., *input_shape)``.
        unique: Whether every layer gives its input back, proved; shape ``(...,)``.
        residual: ``||f(x) - y|| / ||y||``, the numerator alone where ``y = 0``; shape ``(...,)``.
        condition: Product of the layers' condition numbers: how much relative errors may grow on the way
            back; shape ``(...,)``.
        layers: What each layer kept, from the output to the input.
        lost_at: Name of the first layer, from the output, that has fewer outputs than inputs; ``None`` where
            there is none.
    """

    x: Array
    unique: Array
    residual: Array
    condition: Array
    layers: tuple[LayerInverse, ...]
    lost_at: str | None
