"""Products of Householder reflectors as one product of thin matrices (Joffrain et al. 2006, UT transform)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, final

import torch
from torch.autograd import forward_ad

Parts: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def reflect(reflectors: torch.Tensor, x: torch.Tensor, *, inverse: bool = False) -> torch.Tensor:
    r"""Apply a product of reflectors to each row of ``x``.

    ``H = H_1 ... H_k`` with ``H_i = I - 2 v_i v_i^T / |v_i|^2`` is ``I - V T^{-1} V^T``, where ``V`` has
    the columns ``v_i`` and the upper triangle ``T`` satisfies ``T + T^T = V^T V``. It is orthogonal whatever
    ``V`` is. A column of zeros stands for the identity.

    Numbers of less than 32 bits, autocast ones among them, are taken to float32 for it and back.

    Args:
        reflectors: ``V``, shape ``(n, k)``.
        x: Shape ``(..., n)``.
        inverse: Whether to apply ``H^T``, its inverse, in place of ``H``.

    Returns:
        ``H x`` for each row, shape ``(..., n)``.

    Example:
        >>> import torch
        >>> from unrelu.nn.modules._reflectors import reflect
        >>> reflect(torch.tensor([[1.0], [1.0]]), torch.tensor([3.0, 5.0]))
        tensor([-5., -3.])
    """
    with _without_autocast(x.device.type):
        dtype = torch.promote_types(torch.promote_types(x.dtype, reflectors.dtype), torch.float32)
        V, rows = reflectors.to(dtype), x.to(dtype).reshape(-1, x.shape[-1])
        apply = _Reflection.apply if _is_only_recorded(V, rows) else _parts
        reflected: torch.Tensor = apply(V, rows, inverse)[0]
        return reflected.to(x.dtype).reshape(x.shape)


def _without_autocast(device: str) -> AbstractContextManager[object]:
    """Return a context without autocast."""
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


def _is_only_recorded(*tensors: torch.Tensor) -> bool:
    """Say whether derivatives are taken in reverse alone, and no code is transformed.

    Elsewhere `_Reflection` would need a derivative in forward mode as well. Torch compiles no function that
    has one, and takes it only once: of a second derivative in that mode it says 0.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return all(forward_ad.unpack_dual(tensor).tangent is None for tensor in tensors)


def _parts(V: torch.Tensor, x: torch.Tensor, inverse: bool) -> Parts:
    """Return what becomes of the rows of ``x``, ``T``, and ``S = T^{-1} V^T x^T``, or ``T^{-T} V^T x^T``."""
    triangle = V.mT @ V  # below the diagonal nothing reads it
    squares = triangle.diagonal()
    squares.mul_(0.5).add_(squares == 0)
    solved = _solved(triangle, x @ V, inverse)
    return torch.addmm(x, solved.mT, V.mT, alpha=-1), triangle, solved


def _solved(triangle: torch.Tensor, rows: torch.Tensor, transposed: bool) -> torch.Tensor:
    """Return ``T^{-1}``, or ``T^{-T}``, times the transpose of rows."""
    if transposed:
        return torch.linalg.solve_triangular(triangle.mT, rows.mT, upper=False)
    return torch.linalg.solve_triangular(triangle, rows.mT, upper=True)


@final
class _Reflection(torch.autograd.Function):
    """`_parts` with derivatives in closed form: half the products that those of its steps take.

    What the derivatives use again is a result or an argument, so that they can be differentiated themselves.
    """

    @staticmethod
    def forward(ctx: Any, V: torch.Tensor, x: torch.Tensor, inverse: bool) -> Parts:
        # Torch looks at the signature on every call where there is a `setup_context`: that takes long.
        parts = _, triangle, solved = _parts(V, x, inverse)
        ctx.inverse = inverse
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(V, x, triangle, solved)
        return parts

    @staticmethod
    def backward(
        ctx: Any, g: torch.Tensor | None, of_triangle: torch.Tensor | None, of_solved: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        V, x, triangle, solved = ctx.saved_tensors
        with _without_autocast(V.device.type):
            g = torch.zeros_like(x) if g is None else g
            components = g @ V if of_solved is None else g @ V - of_solved.mT
            back = _solved(triangle, components, not ctx.inverse)
            of_x = torch.addmm(g, back.mT, V.mT, alpha=-1) if ctx.needs_input_grad[1] else None
            if not ctx.needs_input_grad[0]:
                return None, of_x, None
            bent = solved @ back.mT if ctx.inverse else back @ solved.mT
            if of_triangle is not None:
                bent = bent + of_triangle
            of_V = V @ (bent.triu() + bent.triu(1).mT)
            return of_V.addmm_(g.mT, solved.mT, alpha=-1).addmm_(x.mT, back.mT, alpha=-1), of_x, None
