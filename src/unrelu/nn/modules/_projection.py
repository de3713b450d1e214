"""Generic linear maps that lower the dimension between blocks (Puthawala et al. 2022, random projections)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError

_BLOCK = 1 << 12


@final
class GenericProjection(nn.Module):
    """A linear map to fewer dimensions that keeps an injective network injective *almost surely*.

    ``x -> P x`` with ``P`` of independent Gaussian entries, of variance ``1 / out_features``: lengths stay
    what they are on average. The image of ``R^n`` under an injective ReLU network has dimension ``n``,
    and a generic ``P`` to at least ``2 n + 1`` dimensions is injective on it (Puthawala et al. 2022,
    corollary on random projections).

    Almost surely is no certificate: it says nothing of the ``P`` at hand, still less of one that was trained,
    nor how close two images come. `smallest_ratio` measures that, and `InjectiveSequential.decide` answers
    UNKNOWN where ``out_features < in_features``, unless it can compare all linear regions of the network.
    With no fewer ``out_features`` it proves the rank of the ``P`` at hand.

    Args:
        in_features: Dimension before.
        out_features: Dimension behind, at least ``2 intrinsic + 1``.
        intrinsic: ``n``, the dimension of the whole network's input.
        trainable: Whether ``P`` is a parameter rather than a buffer.
        generator: Of the entries; that of torch when ``None``.
        device: As in torch.
        dtype: As in torch.

    Raises:
        ArgumentError: If ``out_features < 2 intrinsic + 1``, or there are no features.

    Example:
        >>> import torch, unrelu
        >>> unrelu.nn.GenericProjection(64, 9, intrinsic=4)(torch.randn(5, 64)).shape
        torch.Size([5, 9])
    """

    weight: torch.Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        intrinsic: int,
        trainable: bool = False,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_features = whole_number("in_features", in_features)
        self.intrinsic = whole_number("intrinsic", intrinsic)
        self.out_features = whole_number("out_features", out_features)
        if out_features < 2 * intrinsic + 1:
            raise ArgumentError(
                f"out_features: expected at least 2 * intrinsic + 1 = {2 * intrinsic + 1}, got {out_features}"
            )
        weight = torch.empty(out_features, in_features, device=device, dtype=dtype)
        weight.normal_(std=1 / math.sqrt(out_features), generator=generator)
        self.trainable = trainable
        if trainable:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``P x``."""
        return nn.functional.linear(x, self.weight)

    def least_norm(self, y: torch.Tensor) -> torch.Tensor:
        """Return the shortest ``x`` for which ``P x`` is nearest to ``y``: where a search may begin."""
        inverse: torch.Tensor = torch.linalg.pinv(self.weight.double())
        return (y.double() @ inverse.mT).to(y.dtype)

    def extra_repr(self) -> str:
        """Show the sizes."""
        kind = "trainable" if self.trainable else "fixed"
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, intrinsic={self.intrinsic}, {kind}"


@dataclass(frozen=True)
class SmallestRatio:
    """How close a map brings two of some points.

    Attributes:
        ratio: The smallest ``||f(x) - f(x')|| / ||x - x'||`` over pairs of different points. It bounds the
            lower Lipschitz constant of ``f`` from above, and is no proof of injectivity, however large.
        pair: Numbers of the two points.
        pairs: How many pairs were compared.
    """

    ratio: float
    pair: tuple[int, int]
    pairs: int


def smallest_ratio(function: Callable[[torch.Tensor], torch.Tensor], points: torch.Tensor) -> SmallestRatio:
    """Measure the smallest ratio of distances over all pairs of points that are not the same.

    Args:
        function: From ``(N, *in_shape)`` to ``(N, *out_shape)``: a projection on features, or a network.
        points: What to compare, shape ``(N, *in_shape)``.

    Raises:
        ArgumentError: If no two points differ, or outputs are not finite.

    Example:
        >>> import torch
        >>> from unrelu.nn import smallest_ratio
        >>> found = smallest_ratio(torch.abs, torch.tensor([[1.0], [-1.5], [4.0]]))
        >>> found.ratio, found.pair
        (0.2, (0, 1))
    """
    with torch.no_grad():
        images = function(points).flatten(1).double()
        flat = points.flatten(1).double()
        if not bool(images.isfinite().all()):
            raise ArgumentError("function: expected finite outputs, got NaN or infinite ones")
        best, pair, pairs = math.inf, (0, 0), 0
        block = max(1, _BLOCK * _BLOCK // max(1, len(points)))
        for start in range(0, len(points), block):
            before, behind = (_distances(t[start : start + block], t) for t in (flat, images))
            numbers = torch.arange(len(points), device=flat.device)
            later = numbers[None] > numbers[start : start + block, None]
            usable = later & (before > 0)
            ratios = torch.where(usable, behind / torch.where(usable, before, 1.0), math.inf)
            pairs += int(usable.sum())
            place = int(ratios.argmin())
            if float(ratios.flatten()[place]) < best:
                best = float(ratios.flatten()[place])
                pair = (start + place // len(points), place % len(points))
    if not pairs:
        raise ArgumentError(f"points: expected at least two different ones, got {len(points)}")
    return SmallestRatio(best, pair, pairs)


def _distances(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return Euclidean distances without the cancellation that a product of matrices brings."""
    return torch.cdist(some, others, compute_mode="donot_use_mm_for_euclid_dist")
