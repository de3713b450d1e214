"""A layer of torch made injective, and kept so while it is trained (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrize

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError
from unrelu.nn.modules._pairs import condition_number
from unrelu.nn.parametrization._paired import Paired, PairedBias, PairedRows
from unrelu.nn.parametrization._paired_channels import PairedChannels

Affine = TypeVar("Affine", nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def injective(module: Affine, name: str = "weight", *, condition: float | None = None) -> Affine:
    r"""Register parametrizations under which ``relu(W x + b)`` is injective on R^n.

    ``n`` rows of the weight are each followed by an opposite one, to the bit: they are ``p u`` and ``-q u``
    with whole numbers ``0 < p <= q``, and the biases ``b``, ``c`` of two such rows satisfy ``p c >= -q b``;
    all other rows are free. The rows that are followed are an ordinary part of the parameter: with
    probability 1 they stay independent in training. With ``condition`` they do in any case.

    In a convolution channels take the place of rows: those that are followed have a window of taps that reads
    each input and outweighs their further taps, which are shrunk where need be; see
    `unrelu.nn.parametrization.PairedChannels`. It is injective on images of all sizes of which the window
    reads all inputs.

    A weight of this form is kept to the bit, in whatever order the rows stand and whatever their ratios. In
    another one as few rows as it takes are replaced, `unrelu.nn.parametrization.pairing` tells which, and
    biases of rows that follow others are raised. The parameter stays the same object, so an optimiser need
    not be told.

    Ratios stay as they are found. Where one is no power of two ``u`` has to have fewer binary digits than
    the type, for both products to be exact, and in training it is rounded to them: 22 of the 24 digits of
    float32 are left where ``q = 3``, 12 where ``q = 4001``. Ratios that came about by chance, as those of
    two rows with a single entry, may leave no more than powers of two, which learn coarsely, and what is
    said of independence and ``condition`` holds up to that rounding. The parametrization of the weight
    shows as ``digits`` how many are left. Pairs of that kind are used only where those with powers of two do
    not span R^n.

    ``torch.nn.utils.parametrize.remove_parametrizations(module, name)`` leaves the weight as it is at that
    time; the same with ``"bias"``. Do so before writing ONNX if ``condition`` is given or the layer is a
    convolution: ONNX has no singular value decomposition.

    Args:
        module: ``nn.Linear`` with at least ``2 n`` outputs, or ``nn.Conv1d/2d/3d`` with as many channels as
            `unrelu.nn.InjectiveConv2d` has to have.
        name: Name of the weight.
        condition: Bound of the condition number of ``n`` rows that are followed, at least 1: smaller
            singular values are raised at each use of the weight, by a singular value decomposition.

    Returns:
        The module itself.

    Raises:
        ArgumentError: If the module is of another kind or parametrized already, ``condition`` is below 1,
            the weight has fewer than ``2 n`` rows or ``n`` independent ones, numbers are not finite, or a
            convolution never reads some inputs. The module is then unchanged.

    Example:
        >>> import torch, unrelu
        >>> layer = unrelu.nn.injective(torch.nn.Linear(3, 7))
        >>> print(unrelu.decide(unrelu.ReLULayer(layer.weight, layer.bias)).verdict)
        injective
    """
    if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        raise ArgumentError(f"module: expected nn.Linear or nn.Conv1d/2d/3d, got {type(module).__name__}")
    if name != "weight":
        raise ArgumentError(f"name: expected 'weight', got {name!r}")
    if any(parametrize.is_parametrized(module, tensor) for tensor in ("weight", "bias")):
        raise ArgumentError("module: expected a module without parametrizations of weight and bias")
    bound = None if condition is None else condition_number(condition)
    rows: Paired
    if isinstance(module, nn.Linear):
        rows = PairedRows(module.out_features, module.in_features, bound)
    else:
        rows = PairedChannels(module, bound)
    rows.to(module.weight.device).choose(module.weight)
    if module.bias is not None:
        to_tensor(module.bias, "bias")
    parametrize.register_parametrization(module, "weight", rows)
    if module.bias is not None:
        parametrize.register_parametrization(module, "bias", PairedBias(rows))
    return module
