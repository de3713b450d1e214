"""Data with smoothing noise: Eckert et al. 2024, Definition 3.2 (randomized smoothing, Cohen et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrelu._checks import whole_number
from unrelu.domains._arrays import Array, Device, Dtype, Generator, Tensor, as_points, is_tensor, namespace
from unrelu.domains._base import draw_options
from unrelu.domains._checks import number
from unrelu.errors import ArgumentError


@dataclass(frozen=True, eq=False, repr=False)
class Smoothed:
    """The distribution of ``x = x_j + e``: j uniform over the data, e Gaussian with covariance noise_std^2 I.

    `noise_std` is a standard deviation; the paper writes N(0, sigma I), whose sigma is noise_std squared.

    Args:
        data: Samples on axis 0, shape (N, n) or (N, ...), numpy or torch; kept, not copied.
        noise_std: Standard deviation of the noise in each coordinate; 0 draws the data themselves.

    Raises:
        ArgumentError: No sample, numbers that are not finite, or a noise that is negative or not finite.
    """

    data: Array
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        data = _checked(self.data)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "noise_std", number("noise_std", self.noise_std))

    def __repr__(self) -> str:
        return f"Smoothed(data of shape {tuple(self.data.shape)}, noise_std={self.noise_std})"

    def sample(
        self,
        count: int,
        generator: Generator | None = None,
        *,
        dtype: Dtype | None = None,
        device: Device | None = None,
    ) -> Tensor:
        """Independent draws.

        Args:
            count: How many.
            generator: Source of randomness; the global one of torch if None.
            dtype: A floating torch dtype; float64 if None.
            device: Where to draw; the generator's device if None, else where tensor data lie.

        Returns:
            Tensor of shape (count, ...), the shape of one sample behind it.

        Raises:
            ArgumentError: A bad argument.
        """
        import torch

        if device is None and generator is None and is_tensor(self.data):
            device = self.data.device
        options = draw_options(generator, dtype, device)
        place = {"device": options["device"], "generator": generator}
        index = torch.randint(len(self.data), (whole_number("count", count),), **place)
        rows = self._rows(index).to(options["device"], options["dtype"])
        if self.noise_std == 0:
            return rows
        return rows + self.noise_std * torch.randn(rows.shape, **options)

    def _rows(self, index: Tensor) -> Tensor:
        import torch

        if is_tensor(self.data):
            rows: Tensor = self.data.detach()[index.to(self.data.device)]
            return rows
        return torch.from_numpy(self.data[index.cpu().numpy()])


def _checked(data: Array) -> Array:
    points = as_points("data", data, None)
    if not is_tensor(points):
        # torch reads native byte order and no more than 64 bits
        points = points.astype(np.float32 if points.dtype.itemsize <= 4 else np.float64, copy=False)
    if points.ndim < 2 or 0 in points.shape:
        raise ArgumentError(f"data: expected at least one sample on axis 0, got shape {tuple(points.shape)}")
    if not bool(namespace(points).isfinite(points).all()):
        raise ArgumentError("data: expected finite numbers, got NaN or infinity")
    return points
