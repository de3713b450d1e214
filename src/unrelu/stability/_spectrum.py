"""Singular values of the linearisation layer by layer (Behrmann et al. 2018, section 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from unrelu._checks import whole_number
from unrelu._progress import progress_bar
from unrelu.arrays import Array, flatten_samples, to_tensor
from unrelu.errors import ArgumentError
from unrelu.layers import OUTPUT, Linearisation
from unrelu.stability._network import as_network
from unrelu.stability._plan import Method, Plan
from unrelu.stability._report import result_of
from unrelu.stability._window import Window, window_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from unrelu.layers import Network, ReLULayer
    from unrelu.stability._result import SpectrumResult

_MEMORY = 4 << 30


def spectrum(
    network: Network | ReLULayer | nn.Module,
    x: Array,
    *,
    window: Window | None = None,
    layers: Sequence[str] | None = None,
    method: Method = "auto",
    extremes: int = 6,
    steps: int = 200,
    tolerance: float | None = None,
    memory: int = _MEMORY,
    progress: bool = False,
) -> SpectrumResult:
    r"""Return the singular values of the linearisation up to every ReLU, before and after it.

    In the linear region of an input the network up to layer ``l`` has the derivative
    ``J_l = A_l D_{l-1} A_{l-1} ... D_1 A_1``, where ``D`` keeps the strictly active entries. Returned are the
    singular values of ``J_l`` and ``D_l J_l``, their rank and condition number. Everything is computed in
    float64, on the device of ``x``. Max pooling, sums of activations and other steps that are no layers are
    differentiated where they stand.

    ``method="dense"`` pushes all directions forward together, once for all layers. Values come from Gram
    matrices where their squares cannot harm (above 1e-4 of the largest), from the derivative itself
    elsewhere: the error is at most about 1e-10 of the largest value. ``"lanczos"`` knows products with the
    derivative and its transpose only, and returns a few values at either end, each with a bound of its error.
    ``"auto"`` is `spectrum_method`.

    Args:
        network: A network, a layer, or a torch module, which is traced.
        x: Inputs of shape ``(..., *input_shape)`` or flat; with a batch axis for a torch module.
        window: Differentiate along the entries of a window of the image only, in all channels: its side, for
            a square in the middle, ``(height, width)`` or ``(height, width, top, left)``.
        layers: Names of the layers that are wanted; all when ``None``.
        method: ``"dense"``, ``"lanczos"`` or ``"auto"``.
        extremes: How many values at either end ``"lanczos"`` returns.
        steps: At most so many products for each of its maps.
        tolerance: Share of the largest value up to which a value counts as 0; ``max(d, m)`` units of rounding
            (2.2e-16) when ``None``, for ``d`` directions and ``m`` outputs.
        memory: Bytes for derivatives, within a factor of two; decides how many samples are taken together.
        progress: Show a progress bar on standard error.

    Returns:
        One entry a ReLU, and the output's. Ctrl-C ends the work; the samples until then are reported. Numpy
        in gives numpy out, torch in gives torch out on the same device.

    Raises:
        ArgumentError: If shapes do not fit, an entry is not finite, there is no sample, the window does not
            fit into the image, a layer does not exist, or ``"dense"`` needs more memory than allowed.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[3.0, 0.0], [0.0, 2.0], [0.0, -1.0]]))
        >>> first = unrelu.spectrum(layer, np.array([1.0, -1.0])).layers[0]
        >>> first.before.round(3), first.after.round(3), float(first.condition)
        (array([3.   , 2.236]), array([3., 1.]), 3.0)
    """
    if method not in {"auto", "dense", "lanczos"}:
        raise ArgumentError(f"method: expected 'auto', 'dense' or 'lanczos', got {method!r}")
    for name, number in (("extremes", extremes), ("steps", steps), ("memory", memory)):
        whole_number(name, number)
    tensor = to_tensor(x, "x")
    network = as_network(network, tensor)
    flat, batch, _ = flatten_samples(tensor, network.input_shape, "x")
    if not len(flat):
        raise ArgumentError("x: expected at least one sample, got none")
    entries = window_entries(window, network.input_shape).to(flat.device)
    linearisation = Linearisation(network, flat[:1])
    names = _wanted(linearisation, layers)
    plan = Plan(network, names, entries, method, extremes, steps, memory)
    with torch.no_grad(), progress_bar(progress) as bar:
        found = plan.run(flat, bar)
    return result_of(found, linearisation.shapes, len(entries), batch, x, tolerance)


def spectrum_method(
    network: Network | ReLULayer, *, window: Window | None = None, memory: int = _MEMORY
) -> Literal["dense", "lanczos"]:
    """Return how `spectrum` works by itself: ``"dense"`` where one sample's derivatives fit into the memory.

    Args:
        network: A network or a layer.
        window: As in `spectrum`.
        memory: Likewise.
    """
    network = as_network(network)
    entries = window_entries(window, network.input_shape)
    x = torch.zeros(1, math.prod(network.input_shape), dtype=torch.float64)
    names = _wanted(Linearisation(network, x), None)
    return Plan(network, names, entries, "auto", 1, 1, memory).choice(x)


def _wanted(linearisation: Linearisation, layers: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the stages that are wanted, in order.

    Raises:
        ArgumentError: If there is no such layer.
    """
    names = [name for name in linearisation.shapes if name != OUTPUT or not linearisation.ends_with_relu]
    if layers is None:
        return tuple(names)
    unknown = [name for name in layers if name not in names]
    if unknown or not layers or isinstance(layers, str):
        raise ArgumentError(f"layers: expected some of {', '.join(map(repr, names))}, got {layers!r}")
    return tuple(name for name in names if name in layers)
