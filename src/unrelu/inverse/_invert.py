"""Reconstruction of inputs from outputs (Eckert et al. 2024, eq. 9), by the method that suits the layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from unrelu._progress import progress_bar
from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.domains import Domain
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, frame_of
from unrelu.frames._signs import in_double
from unrelu.inverse._constrained import constrained_least_squares, only_input
from unrelu.inverse._direct import solve_directly
from unrelu.inverse._error_bound import residuals_and_bounds
from unrelu.inverse._frame_algorithm import solve_by_frame_algorithm
from unrelu.inverse._iterative import solve_iteratively
from unrelu.inverse._lsmr import solve_by_lsmr
from unrelu.inverse._network import invert_network
from unrelu.inverse._noise import Noise, NoiseLike, Rounded, noise_of
from unrelu.inverse._peeling import peels
from unrelu.inverse._result import InverseResult, NetworkInverse
from unrelu.inverse._solutions import Method, Solutions
from unrelu.layers import Network
from unrelu.layers.maps import Convolution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unrelu.layers import ReLULayer, Statistics

_FACTORED_ENTRIES = 4_000_000  # non-zero weights of a sparse layer whose bands are still cheap
_CONSTRAINED_ENTRIES = 20_000_000  # of a layer whose inequalities are used
_DENSE_ENTRIES = 1 << 29  # of a dense one that is still held


def choose_method(layer: ReLULayer) -> Method:
    """Tell which method ``method="auto"`` takes for a layer.

    Dense layers of up to 4 GiB, and sparse ones (convolutions) of up to 4 million non-zero weights, are
    solved by Cholesky factors; what is larger by conjugate gradients, which never hold the matrix.

    Example:
        >>> import numpy as np, unrelu
        >>> from unrelu.inverse import choose_method
        >>> choose_method(unrelu.ReLULayer(np.eye(3)))
        <Method.CHOLESKY: 'cholesky'>
    """
    linear = layer.linear
    if linear.is_sparse:
        return Method.CHOLESKY if linear.nnz <= _FACTORED_ENTRIES else Method.CG
    return Method.CHOLESKY if linear.m * linear.n <= _DENSE_ENTRIES else Method.CG


@overload
def invert(
    layer: ReLULayer,
    y: Array,
    domain: Domain | None = None,
    *,
    method: Method | str = Method.AUTO,
    noise: NoiseLike = None,
    frame: Frame | None = None,
    n_jobs: int = -1,
    progress: bool = False,
) -> InverseResult: ...


@overload
def invert(
    layer: Network,
    y: Array,
    domain: Domain | None = None,
    *,
    method: Method | str = Method.AUTO,
    noise: NoiseLike = None,
    frame: None = None,
    statistics: Mapping[str, Statistics] | None = None,
    n_jobs: int = -1,
    progress: bool = False,
) -> NetworkInverse: ...


def invert(
    layer: ReLULayer | Network,
    y: Array,
    domain: Domain | None = None,
    *,
    method: Method | str = Method.AUTO,
    noise: NoiseLike = None,
    frame: Frame | None = None,
    statistics: Mapping[str, Statistics] | None = None,
    n_jobs: int = -1,
    progress: bool = False,
) -> InverseResult | NetworkInverse:
    """Reconstruct the inputs of a layer, or of a network, from outputs.

    Solves ``W_I x = y_I - b_I`` over the strictly active rows ``I = {i : y_i > 0}``: least squares where they
    span R^n, minimum norm elsewhere. Methods:

    - ``"cholesky"``: normal equations with certified Cholesky factors and iterative refinement in float64;
      outputs with similar active rows share a factor that is corrected for each. Singular values or LSMR
      where no factor is certified or refinement stalls.
    - ``"cg"``: conjugate gradients on the normal equations, matrix-free, on the layer's device. Convolutions
      prove uniqueness window by window, other layers by factors where they fit. Outputs whose condition is
      beyond 10^6 go to ``"cholesky"`` where its factors fit; elsewhere their condition stays unknown.
    - ``"lsmr"``: LSMR (Fong and Saunders 2011), one output after the other, for comparison; no condition
      number and so no error bound.
    - ``"frame"``: the frame algorithm (Eckert et al. 2024, Section 4.3), for comparison.
    - ``"auto"``: what `choose_method` says; the result tells what was used for each output.

    A domain adds its own inequalities and those of the other rows, ``W_i x + b_i <= 0`` where ``y_i = 0``
    (Puthawala et al. 2022), for outputs whose strictly active rows do not span: `unrelu.Space` for all of
    R^n, a box for images. An output is then unique exactly where `unrelu.preimage` calls its preimage a
    singleton. That takes a linear program or two for each such output, and layers of at most 20 million
    weights; ``None`` leaves it out.

    A network must be a chain of ReLU layers and normalisations; each is inverted in turn, from the output.
    Noise is then that of the network's output. Layer, group and instance normalisation forget the mean and
    the size of what they read: ``statistics`` has to bring them along.

    Args:
        layer: The layer, or a network.
        y: Outputs of shape ``(..., m)`` or ``(..., *out_shape)``, non-negative for a layer.
        domain: Where inputs live, a polyhedral domain; ``None`` for R^n by equations alone.
        method: See above.
        noise: Errors of the outputs: a standard deviation (Gaussian), ``"float16"``, or one of
            `unrelu.inverse.Gaussian`, `Quantised`, `Rounded`. Outputs that may be nothing but noise are not
            taken for active rows, and the expected error is reported.
        frame: The layer's rows, to be shared between calls; made from the layer when ``None``.
        statistics: Of a network's normalisations, by node name: `Network.statistics` of the inputs.
        n_jobs: Threads, as in joblib.
        progress: Whether a bar on standard error shows how far it is.

    Returns:
        Reconstructions with proof of uniqueness, residual, condition number and bounds of the error; numpy in
        gives numpy out, torch in gives torch out on the same device.

    Raises:
        ArgumentError: If ``y`` has a wrong shape, negative or non-finite entries, the network is no chain, or
            another argument is not one of those above.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> result = unrelu.invert(layer, layer.apply(np.array([[2.0, 3.0], [2.0, -3.0]])))
        >>> result.unique
        array([ True,  True])
        >>> result.x.round(12)
        array([[ 2.,  3.],
               [ 2., -3.]])
        >>> unrelu.invert(layer, np.zeros(3)).unique, unrelu.invert(layer, np.zeros(3), unrelu.Space()).unique
        (array(False), array(True))
    """
    errors = noise_of(noise)
    chosen = _method_of(method)
    if domain is not None and not (isinstance(domain, Domain) and domain.polyhedral):
        raise ArgumentError(f"domain: expected Space, Orthant, Box or Polytope, got {domain!r}")
    options = _Options(chosen, n_jobs, progress)
    if isinstance(layer, Network):
        return invert_network(layer, y, domain, partial(_invert_layer, options=options), errors, statistics)
    if statistics is not None:
        raise ArgumentError("statistics: expected none for one layer, which has no normalisation")
    return _invert_layer(layer, y, domain, noise=errors, options=options, frame=frame)


@dataclass(frozen=True)
class _Options:
    method: Method
    n_jobs: int
    progress: bool


def _invert_layer(
    layer: ReLULayer,
    y: Array,
    domain: Domain | None,
    *,
    noise: Noise | None,
    options: _Options,
    frame: Frame | None = None,
) -> InverseResult:
    layer = in_double(layer)
    tensor, batch, flat = flatten_samples(to_tensor(y, "y", device=layer.bias.device), layer.out_shape, "y")
    negative = 0 if noise is not None and noise.negative else int((tensor < 0).sum())
    if negative:
        raise ArgumentError(f"y: expected outputs of a ReLU, got {negative} negative entries")
    outputs = tensor.cpu().numpy()
    errors = noise or _rounding(y)
    mask = outputs > 0 if errors is None else errors.trusted(outputs)
    target = np.where(mask, outputs - layer.bias.cpu().numpy(), 0.0)
    std = None if noise is None else np.where(mask, noise.std(outputs), 0.0)
    with progress_bar(options.progress) as bar:
        task = None if bar is None else bar.add_task("inverting", total=len(outputs))

        def advance(count: int) -> None:
            if bar is not None:
                bar.advance(task, count)

        found = _solve(layer, frame, options, (mask, target, std), advance)
    if noise is None:
        found.expected[:] = 0.0
    if domain is not None:
        given = None if noise is not None else _as_rounded(y, tensor)
        slack = np.zeros(outputs.shape) if errors is None else errors.bound(outputs)
        _constrain(layer, frame or frame_of(layer), domain, given, (mask, target, slack), found)
    return _result(layer, y, tensor, (batch, flat), mask, errors, found)


def _result(
    layer: ReLULayer,
    y: Array,
    tensor: torch.Tensor,
    form: tuple[tuple[int, ...], bool],
    mask: np.ndarray,
    errors: Noise | None,
    found: Solutions,
) -> InverseResult:
    outputs, (batch, flat) = tensor.cpu().numpy(), form
    x, unique = torch.from_numpy(found.x).to(tensor.device), torch.from_numpy(found.unique)
    allowed = np.zeros(len(outputs)) if errors is None else errors.length_bound(outputs, mask)
    parts = (torch.from_numpy(part).to(tensor.device) for part in (mask, found.smallest, allowed))
    residual, bound = residuals_and_bounds(layer, x, tensor, *parts)
    bound = torch.where(unique.to(bound.device), bound.nan_to_num(nan=np.inf, posinf=np.inf), np.inf)

    def given(column: torch.Tensor) -> Array:
        return like(column.reshape(batch), y)

    return InverseResult(
        x=like(x.reshape(*batch, *((layer.n,) if flat else layer.in_shape)), y),
        unique=given(unique),
        residual=given(residual),
        condition=given(torch.from_numpy(found.condition)),
        error_bound=given(bound),
        expected_error=given(torch.from_numpy(found.expected)),
        method=found.method.reshape(batch),
    )


def _method_of(method: Method | str) -> Method:
    asked = (Method.AUTO, Method.CHOLESKY, Method.CG, Method.LSMR, Method.FRAME)
    if method not in asked:
        raise ArgumentError(f"method: expected one of {', '.join(asked)}, got {method!r}")
    return Method(method)


Systems = tuple[np.ndarray, np.ndarray, "np.ndarray | None"]


def _solve(
    layer: ReLULayer,
    frame: Frame | None,
    options: _Options,
    systems: Systems,
    advance: Callable[[int], None],
) -> Solutions:
    masks, targets, std = systems
    method = options.method
    if method == Method.AUTO:
        method = Method.CHOLESKY if frame is not None else choose_method(layer)
    if method == Method.CHOLESKY:
        return solve_directly(frame or frame_of(layer), masks, targets, std, options.n_jobs, advance)
    spanning = _spanning(layer, frame, masks, options.n_jobs)
    if method == Method.CG:
        found = solve_iteratively(layer, masks, targets, std, spanning, advance)
        bad = np.flatnonzero(np.isnan(found.condition) & masks.any(axis=1))
        if len(bad) and choose_method(layer) == Method.CHOLESKY:
            frame = frame or frame_of(layer)
            some = None if std is None else std[bad]
            found.put(
                bad, solve_directly(frame, masks[bad], targets[bad], some, options.n_jobs, lambda _: None)
            )
        return found
    solve = solve_by_lsmr if method == Method.LSMR else solve_by_frame_algorithm
    found = solve(layer, masks, targets, advance)
    found.unique = spanning
    return found


def _spanning(layer: ReLULayer, frame: Frame | None, masks: np.ndarray, n_jobs: int) -> np.ndarray:
    """Prove that active rows span, where no factors are at hand."""
    proved = np.zeros(len(masks), dtype=bool)
    if isinstance(layer.linear, Convolution):
        proved |= peels(layer.linear, masks)
    if frame is None and choose_method(layer) == Method.CHOLESKY:
        frame = frame_of(layer)
    if frame is not None:
        rest = np.flatnonzero(~proved)
        with threadpool_limits(1, user_api="blas"), Parallel(n_jobs, backend="threading") as parallel:
            proved[rest] = parallel(delayed(frame.spans)(np.flatnonzero(masks[k])) for k in rest)
    return proved


def _rounding(y: Array) -> Noise | None:
    """Return the rounding of outputs that came in less than float64."""
    name = str(y.dtype).removeprefix("torch.") if hasattr(y, "dtype") else ""
    return Rounded(name) if name in {"float16", "float32"} else None


def _as_rounded(y: Array, tensor: torch.Tensor) -> torch.Tensor:
    """Return outputs in the precision that they came in."""
    rounding = _rounding(y)
    return tensor.to(torch.float32) if isinstance(rounding, Rounded) else tensor


def _constrain(
    layer: ReLULayer,
    frame: Frame,
    domain: Domain,
    y: torch.Tensor | None,
    systems: tuple[np.ndarray, np.ndarray, np.ndarray],
    found: Solutions,
) -> None:
    """Use inequalities and domain for outputs whose equations leave more than one input, or one outside.

    Args:
        layer: The layer, in float64.
        frame: Its rows.
        domain: The domain.
        y: Outputs, in the dtype that they were rounded to; ``None`` where noise makes proofs idle.
        systems: Active rows, right-hand sides, and by how much the other rows may exceed 0.
        found: Solutions of the equations; updated.
    """
    if frame.m * frame.n > _CONSTRAINED_ENTRIES:
        raise ArgumentError(f"domain: expected None for a layer as large as {frame.m} x {frame.n}")
    mask, target, slack = systems
    bias = layer.bias.cpu().numpy()
    outside = ~domain.contains(found.x, tol=1e-9 * float(np.abs(found.x).max(initial=1.0)))
    for k in np.flatnonzero(~found.unique | outside):
        x, only = None, False
        if y is not None and not (outside[k] and found.unique[k]):
            x, only = only_input(layer, frame, domain, y[k])
        if x is None:
            start = found.x[k]
            x = constrained_least_squares(frame, domain, bias, mask[k], target[k], slack[k], start)
        found.x[k], found.unique[k], found.method[k] = x, only, Method.CONSTRAINED
        found.smallest[k] = found.expected[k] = np.nan
