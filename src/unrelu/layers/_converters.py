"""Tables from operators to the functions that convert them: one a module, merged by the importer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

C = TypeVar("C", bound=Callable[..., Any])


class Converters(Mapping[str, C]):
    """Converters by operator; no operator has two.

    Example:
        >>> table = Converters()
        >>> @table.register("Neg", "Minus")
        ... def negate(x):
        ...     return -x
        >>> sorted(Converters(table))
        ['Minus', 'Neg']
    """

    def __init__(self, *parts: Mapping[str, C]) -> None:
        """Start with the converters of all ``parts``.

        Raises:
            ValueError: If two parts convert the same operator.
        """
        self._converters: dict[str, C] = {}
        for part in parts:
            for operator, converter in part.items():
                self._enter(operator, converter)

    def register(self, *operators: str) -> Callable[[C], C]:
        """Return the decorator that enters a function as the converter of ``operators``.

        Raises:
            ValueError: If an operator has a converter already.
        """

        def enter(converter: C) -> C:
            for operator in operators:
                self._enter(operator, converter)
            return converter

        return enter

    def _enter(self, operator: str, converter: C) -> None:
        if operator in self._converters:
            raise ValueError(f"the operator {operator!r} has a converter already")
        self._converters[operator] = converter

    def __getitem__(self, operator: str) -> C:
        """Return the converter of an operator."""
        return self._converters[operator]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the operators."""
        return iter(self._converters)

    def __len__(self) -> int:
        """Return the number of operators."""
        return len(self._converters)
