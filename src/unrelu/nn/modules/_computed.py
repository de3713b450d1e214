"""Layers whose weight is computed from other parameters, and kept while nothing changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Self

import torch
from torch import nn


class _Source(NamedTuple):
    """A tensor that a weight was computed from, and how often it had been written to by then."""

    tensor: torch.Tensor
    version: int


class ComputedWeight(nn.Module, ABC):
    """A layer that computes its weight and bias from its parameters.

    In training mode they are computed whenever they are asked for. `eval` keeps them, so that an exported
    layer is a plain affine one; they are computed again once a parameter has changed. A change through
    ``parameter.data`` cannot be seen: call `eval` after it. What torch compiles computes them on every call.
    """

    kept_weight: torch.Tensor | None
    kept_bias: torch.Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept_weight", None, persistent=False)
        self.register_buffer("kept_bias", None, persistent=False)
        self._sources: list[_Source] = []
        self.register_load_state_dict_post_hook(_after_loading)

    @abstractmethod
    def compute(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return weight and bias, differentiable in the parameters."""

    @property
    def weight(self) -> torch.Tensor:
        """The weight, opposite rows being so to the bit."""
        return self.affine()[0]

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias, or ``None``."""
        return self.affine()[1]

    def affine(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return weight and bias: those kept where they hold, and computed ones elsewhere."""
        if self.training or (torch.compiler.is_compiling() and not torch.compiler.is_exporting()):
            return self.compute()
        holds = self._unchanged() if torch.compiler.is_exporting() else self._hold_or_renew()
        if not holds or self.kept_weight is None:
            return self.compute()
        recording = torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())
        if torch.compiler.is_exporting() or not recording:
            return self.kept_weight, self.kept_bias
        weight, bias = self.compute()
        # The numbers that are kept, to the bit, with the gradient of those computed.
        return self.kept_weight + (weight - weight.detach()), bias

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; the latter keeps the weight."""
        super().train(mode)
        if not mode:
            self._keep()
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, whose tensors are others."""
        super().__setstate__(state)
        self._keep_if_evaluating()

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        super()._apply(*arguments, **options)
        self._keep_if_evaluating()
        return self

    def _keep_if_evaluating(self) -> None:
        if not self.training:
            self._keep()

    def _tensors(self) -> list[torch.Tensor]:
        kept = {"kept_weight", "kept_bias"}
        return [*self.parameters(), *(buffer for name, buffer in self.named_buffers() if name not in kept)]

    def _keep(self) -> None:
        # Tensors made in inference mode could never be used where gradients are recorded.
        with torch.inference_mode(False), torch.no_grad():
            self.kept_weight, self.kept_bias = self.compute()
        self._sources = [_Source(tensor, tensor._version) for tensor in self._tensors()]

    def _unchanged(self) -> bool:
        """Say whether no tensor that is remembered has been written to.

        Where torch interprets the code instead of running it, nobody can say.
        """
        if torch.compiler.is_dynamo_compiling():
            return True
        return all(source.tensor._version == source.version for source in self._sources)

    def _hold_or_renew(self) -> bool:
        """Say whether what is kept holds, after computing it anew where tensors were written to.

        Where they are others, as in ``torch.func.functional_call``, nothing is kept of them.
        """
        tensors = self._tensors()
        if len(tensors) != len(self._sources):
            return False
        if any(tensor is not source.tensor for tensor, source in zip(tensors, self._sources, strict=True)):
            return False
        if not self._unchanged():
            self._keep()
        return True


def _after_loading(module: nn.Module, incompatible: Any) -> None:
    """Keep the weight that was loaded."""
    if isinstance(module, ComputedWeight):
        module._keep_if_evaluating()
