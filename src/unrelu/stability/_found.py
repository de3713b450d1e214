"""Singular values of some samples, before they become a result."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Found:
    """Singular values of some samples, by name of the layer.

    Attributes:
        before: Before the ReLU, and of the output; shape ``(samples, r)``.
        after: After it.
        active: How many entries are strictly positive, shape ``(samples,)``.
        error_before: Bounds of the errors of `before`, where only a few values were looked for.
        error_after: Of `after`.
    """

    before: dict[str, torch.Tensor] = field(default_factory=dict)
    after: dict[str, torch.Tensor] = field(default_factory=dict)
    active: dict[str, torch.Tensor] = field(default_factory=dict)
    error_before: dict[str, torch.Tensor] = field(default_factory=dict)
    error_after: dict[str, torch.Tensor] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the parts one after the other."""
        tables = {}
        for entry in fields(cls):
            found = [getattr(part, entry.name) for part in parts]
            tables[entry.name] = {name: torch.cat([table[name] for table in found]) for name in found[0]}
        return cls(**tables)
