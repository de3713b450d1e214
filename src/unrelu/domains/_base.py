"""What every domain answers: membership, projection, uniform samples, inequalities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NoReturn

import numpy as np

from unrelu._checks import whole_number
from unrelu.certificates import DomainRecord
from unrelu.domains._arrays import Array, Device, Dtype, Floats, Generator, Tensor, as_points, namespace
from unrelu.domains._checks import number
from unrelu.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Domain(ABC):
    """A closed set of inputs in R^n.

    Parameters that are plain numbers fit every n; parameters that are vectors fix it (`dimension`).
    Points are arrays of shape (..., n), numpy or torch; answers come back in the same kind and device.
    """

    convex: ClassVar[bool]
    polyhedral: ClassVar[bool]

    @property
    @abstractmethod
    def bounded(self) -> bool:
        """Whether the set lies in some ball."""

    @property
    def dimension(self) -> int | None:
        """The n that the parameters fix; None where every n will do."""
        return None

    def resolve_dimension(self, n: int | None = None) -> int:
        """The dimension to work in: `n`, or the one that the parameters fix.

        Raises:
            ArgumentError: The two differ, or there is neither.
        """
        if n is None and self.dimension is None:
            raise ArgumentError(f"n: expected the dimension, which {type(self).__name__} does not fix")
        n = self.dimension if n is None else whole_number("n", n)
        if n is None or self.dimension not in (None, n):
            raise ArgumentError(
                f"n: expected {self.dimension}, the dimension of {type(self).__name__}, got {n}"
            )
        return n

    def contains(self, x: Array, tol: float = 0.0) -> Array:
        """Which points lie in the set; compared in float64, and never where a coordinate is NaN or infinite.

        Args:
            x: Points, shape (..., n).
            tol: Distance, in units of the input, by which each constraint may be exceeded.

        Returns:
            Booleans, shape (...).

        Raises:
            ArgumentError: `x` does not hold points of this dimension, or `tol` is negative.
        """
        points = as_points("x", x, self.dimension, double=True)
        tol = number("tol", tol)
        library = namespace(points)
        finite = library.isfinite(points)
        return finite.all(-1) & self._holds(library.where(finite, points, 0.0), tol)

    def project(self, x: Array) -> Array:
        """The nearest point of the set, in Euclidean distance, for each point.

        Args:
            x: Points, shape (..., n).

        Returns:
            Points, shape (..., n), in the dtype of `x` (float64 for integers).

        Raises:
            ArgumentError: `x` does not hold points of this dimension, or the set has no closed form for it.
        """
        return self._project(as_points("x", x, self.dimension))

    def sample(
        self,
        count: int,
        n: int | None = None,
        generator: Generator | None = None,
        *,
        dtype: Dtype | None = None,
        device: Device | None = None,
    ) -> Tensor:
        """Points drawn independently from the uniform distribution; inside the set up to rounding in `dtype`.

        Args:
            count: How many.
            n: Dimension; needed where the parameters do not fix it.
            generator: Source of randomness; the global one of torch if None.
            dtype: A floating torch dtype; float64 if None.
            device: Where to draw; the generator's device if None.

        Returns:
            Tensor of shape (count, n).

        Raises:
            ArgumentError: A bad argument, or a set without a uniform distribution.
        """
        return self._sample(
            whole_number("count", count),
            self.resolve_dimension(n),
            draw_options(generator, dtype, device),
        )

    def inequalities(self, n: int | None = None) -> tuple[Floats, Floats]:
        """The set as {x : G x <= h}, for polyhedral domains.

        Args:
            n: Dimension; needed where the parameters do not fix it.

        Returns:
            G of shape (p, n) and h of shape (p,), float64 and finite; p is 0 for the whole space.

        Raises:
            ArgumentError: The set is not polyhedral, or `n` does not fit.
        """
        return self._inequalities(self.resolve_dimension(n))

    def record(self, n: int | None = None) -> DomainRecord:
        """The set as certificates hold it, for polyhedral domains.

        Args:
            n: Dimension; needed where the parameters do not fix it.

        Raises:
            ArgumentError: The set is not polyhedral, or `n` does not fit.
        """
        return self._record(self.resolve_dimension(n))

    @abstractmethod
    def _holds(self, x: Array, tol: float) -> Array: ...

    def _project(self, x: Array) -> Array:
        self._refuse("no closed-form projection")

    def _sample(self, count: int, n: int, options: dict[str, Any]) -> Tensor:
        self._refuse("no uniform distribution to sample from, because it is unbounded")

    def _inequalities(self, n: int) -> tuple[Floats, Floats]:
        self._refuse("no inequalities G x <= h, because it is not polyhedral")

    def _record(self, n: int) -> DomainRecord:
        self._refuse("no certificates, because it is not polyhedral")

    def _refuse(self, reason: str) -> NoReturn:
        raise ArgumentError(f"domain: {type(self).__name__} has {reason}")

    def _key(self) -> tuple[Any, ...]:
        return (
            type(self),
            *(repr(np.asarray(getattr(self, field.name)).tolist()) for field in fields(self)),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Domain) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def draw_options(generator: Generator | None, dtype: Dtype | None, device: Device | None) -> dict[str, Any]:
    """The keyword arguments with which torch draws, checked; on the generator's device unless told otherwise.

    Raises:
        ArgumentError: `generator` is no torch.Generator (a seed, say), or `dtype` no floating torch dtype.
    """
    import torch

    if generator is not None and not isinstance(generator, torch.Generator):
        raise ArgumentError(f"generator: expected a torch.Generator, got {generator!r}")
    dtype = torch.float64 if dtype is None else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ArgumentError(f"dtype: expected a floating torch dtype, got {dtype!r}")
    if device is None:
        device = "cpu" if generator is None else generator.device
    return {"generator": generator, "dtype": dtype, "device": device}
