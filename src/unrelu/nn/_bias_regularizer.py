"""The bias of a layer held at its maximal bias while it is trained (Eckert et al. 2024, Section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.layers import ReLULayer
from unrelu.nn.functional import bias_of, bias_penalty, per_channel, project_bias_

if TYPE_CHECKING:
    from unrelu.arrays import Array
    from unrelu.bias import BiasEstimate


@final
class BiasRegularizer:
    r"""Penalty and projection for one layer, against an estimate of ``alpha*`` that follows the weights.

    ``alpha*`` depends on the weights. It is estimated by MCBE at the first use and then again after every
    ``every`` uses, so that in between it belongs to slightly older weights; `update` estimates at once.

    Args:
        module: ``nn.Linear`` or ``nn.Conv1d/2d/3d`` with a bias, a ReLU behind it. A convolution has one bias
            a channel, for which the least of ``alpha*`` over the channel's outputs counts.
        data: Inputs of that layer, shape ``(N, *in_shape)``.
        every: Uses of `penalty` or `project_` between estimates, such as the number of batches in an epoch.
        noise_std: Standard deviation of the noise added to the data.
        n_samples: Samples of the estimate.
        seed: Of the first estimate; it grows by one each time.
        options: Further options of `unrelu.bias.estimate_bias`.

    Attributes:
        estimate: The latest estimate, or ``None``.

    Raises:
        ArgumentError: If the module is of another kind or has no bias, or ``every`` is below 1.

    Example:
        >>> import torch, unrelu
        >>> linear = torch.nn.Linear(2, 6)
        >>> regularizer = unrelu.nn.BiasRegularizer(linear, torch.rand(50, 2))
        >>> regularizer.project_()
        >>> regularizer.penalty().item()
        0.0
    """

    def __init__(
        self,
        module: nn.Module,
        data: Array,
        *,
        every: int = 100,
        noise_std: float = 0.0,
        n_samples: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if every < 1:
            raise ArgumentError(f"every: expected a number of uses >= 1, got {every}")
        bias_of(module)  # refuses a module without one before training starts
        self.module, self.every = module, every
        self.estimate: BiasEstimate | None = None
        self._data, self._seed, self._uses = data, seed, 0
        self._options = {"noise_std": noise_std, "n_samples": n_samples, **options}
        self._layer()  # and one of another kind

    def update(self) -> BiasEstimate:
        """Estimate ``alpha*`` for the weights as they are now."""
        from unrelu.bias import estimate_bias

        self.estimate = estimate_bias(self._layer(), self._data, seed=self._seed, **self._options)
        self._seed, self._uses = self._seed + 1, 0
        return self.estimate

    def penalty(self) -> torch.Tensor:
        """Return ``||max(0, alpha - alpha*)||_2``, differentiable in the module's bias."""
        bias = bias_of(self.module)
        return bias_penalty(bias, per_channel(self._alpha_star(), len(bias)))

    def project_(self) -> None:
        """Raise the module's bias to what ``alpha*`` allows; to be called after the optimiser's step."""
        project_bias_(self.module, self._alpha_star())

    def _layer(self) -> ReLULayer:
        return ReLULayer.from_module(self.module, tuple(self._data.shape[1:]))

    def _alpha_star(self) -> Any:
        estimate = self.estimate
        if estimate is None or self._uses >= self.every:
            estimate = self.update()
        self._uses += 1
        return estimate.alpha
