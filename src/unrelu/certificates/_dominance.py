"""Blocks of rows and columns whose diagonal part outweighs the others (Feingold and Varga 1962)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from unrelu.certificates._fields import Fields
from unrelu.certificates._packing import pack, unpack


@dataclass(frozen=True, eq=False)
class Dominance:
    """Blocks under which lines are block diagonally dominant, and therefore span all columns.

    Block ``g`` consists of the lines and of the columns with this number. It says nothing of norms: whoever
    checks it computes them.

    Attributes:
        lines: For each line its block, -1 where it is not needed, int64.
        columns: For each column its block, int64.
    """

    lines: np.ndarray
    columns: np.ndarray

    def to_fields(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        labels = self.lines.astype(np.int32), self.columns.astype(np.int32)
        return {"lines": len(self.lines), "columns": len(self.columns), "blocks": pack(*labels)}

    @classmethod
    def read(cls, fields: Fields, lines: int, n: int) -> Self:
        """Read what `to_fields` returned.

        Args:
            fields: Where it stands.
            lines: How many lines there are.
            n: How many columns there are at most.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        sizes = [fields.whole("lines", lines, lines), fields.whole("columns", 0, n)]
        labels = unpack(fields.text("blocks"), fields.name("blocks"), [("<i4", size) for size in sizes])
        fields.end()
        of_line, of_column = (array.astype(np.int64) for array in labels)
        return cls(of_line, of_column)
