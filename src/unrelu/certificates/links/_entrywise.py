"""Functions of one number that are applied to every entry, and what is known of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unrelu.certificates._fields import refuse

# name -> Lipschitz constant; all of them ascend strictly
_FIXED = {
    "arcsinh": 1.0,
    "arctan": 1.0,
    "sigmoid": 0.25,
    "softplus": 1.0,
    "softsign": 1.0,
    "tanh": 1.0,
}
# of these the parameter is the slope, or the factor of the exponential, for negative numbers
_WITH_PARAMETER = ("celu", "elu", "leaky_relu")
ENTRY_FUNCTIONS = (*_FIXED, *_WITH_PARAMETER)


@dataclass(frozen=True)
class EntryFunction:
    """A function of one number.

    ``"arcsinh"``, ``"arctan"``, ``"tanh"``, ``"sigmoid"`` is ``1 / (1 + exp(-x))``, ``"softsign"``
    ``x / (1 + |x|)``, ``"softplus"`` ``log(1 + exp(x))``. The others are the identity from 0 on, and below
    ``"leaky_relu"`` ``a x``, ``"elu"`` ``a (exp(x) - 1)`` and ``"celu"`` ``a (exp(x / a) - 1)``.

    Attributes:
        name: One of these.
        parameter: ``a``, other than 0 for ``"celu"``; ``None`` where there is none.

    Raises:
        ArgumentError: If the function is not known, or the parameter does not fit.

    Example:
        >>> from unrelu.certificates import EntryFunction
        >>> EntryFunction("leaky_relu", -2.0).lipschitz, EntryFunction("leaky_relu", -2.0).ascends
        (2.0, False)
    """

    name: str
    parameter: float | None = None

    def __post_init__(self) -> None:
        if self.name not in ENTRY_FUNCTIONS:
            refuse("function", f"one of {', '.join(ENTRY_FUNCTIONS)}", repr(self.name))
        if self.name in _FIXED:
            if self.parameter is not None:
                refuse("parameter", f"none of {self.name!r}", f"{self.parameter}")
        elif self.parameter is None or not math.isfinite(self.parameter):
            refuse("parameter", f"a finite number for {self.name!r}", f"{self.parameter}")
        elif self.name == "celu" and self.parameter == 0:
            refuse("parameter", "a number other than 0", f"{self.parameter}")

    @property
    def lipschitz(self) -> float:
        """The largest size of a slope; infinite where it has none."""
        if self.parameter is None:
            return _FIXED[self.name]
        if self.name == "celu":
            return 1.0 if self.parameter > 0 else math.inf
        return max(1.0, abs(self.parameter))

    @property
    def ascends(self) -> bool:
        """Whether different numbers have different values because it ascends strictly."""
        return self.parameter is None or self.parameter > 0
