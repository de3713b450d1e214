"""A sequence of modules that goes both ways (Puthawala et al. 2022: layerwise injective is injective)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import nn

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError
from unrelu.injectivity import Verdict, decide
from unrelu.layers import trace
from unrelu.nn.modules._inversion import Inversion
from unrelu.nn.modules._projection import GenericProjection
from unrelu.nn.modules._volume import VolumeEstimate, estimate_log_volume, log_volume
from unrelu.nn.modules.undo import rule_of, statistics_of, steps_of
from unrelu.nn.modules.undo._expansion import lower_lipschitz
from unrelu.nn.modules.undo._search import RESTARTS
from unrelu.nn.modules.undo._way import Way, check_samples

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.injectivity import NetworkDecision

EXACT_LIMIT = 256
"""Number of inputs up to which `InjectiveSequential.log_volume` is exact."""


@final
class InjectiveSequential(nn.Sequential):
    """`torch.nn.Sequential` with a way back, the change of volume, and a proof that different inputs stay so.

    What it takes: injective layers with a ReLU behind them; modules with an ``inverse`` of their own;
    strictly monotone activations; reshaping and pixel shuffling; ``nn.Linear`` with no fewer outputs than
    inputs, with or without a ReLU, and ``nn.Conv*d`` with one; batch normalisation; layer, group and instance
    normalisation, given their statistics; `GenericProjection`. Anything else is refused by name.

    Args:
        modules: As for ``nn.Sequential``: modules, or one ``OrderedDict`` of them.
        input_shape: Shape of one input, without batch axis. Needed for the way back through flattening and
            convolution, and by `decide`; taken from the first module's ``in_features`` where ``None``.

    Raises:
        ArgumentError: If a module cannot be undone, naming it.

    Example:
        >>> import torch, unrelu
        >>> model = unrelu.nn.InjectiveSequential(
        ...     unrelu.nn.InjectiveLinear(3, 8),
        ...     torch.nn.ReLU(),
        ...     torch.nn.LayerNorm(8),
        ...     torch.nn.Linear(8, 20),
        ... ).double()
        >>> x = torch.randn(5, 3, dtype=torch.float64)
        >>> y, statistics = model.forward_with_statistics(x)
        >>> bool(torch.allclose(model.inverse(y, statistics), x)), model.log_volume(x).shape
        (True, torch.Size([5]))
    """

    def __init__(
        self, *modules: nn.Module | OrderedDict[str, nn.Module], input_shape: Sequence[int] | None = None
    ) -> None:
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], Mapping) else None
        super().__init__(OrderedDict(named) if named is not None else _numbered(modules))
        self.input_shape = None if input_shape is None else tuple(input_shape)
        for step in steps_of(self):
            rule_of(step)
        self._check_projections()

    def forward_with_statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the outputs, and what normalisations forget of their inputs, by name of module.

        Args:
            x: Samples, shape ``(N, *in_shape)``.
        """
        statistics: dict[str, Any] = {}
        for step in steps_of(self):
            known = statistics_of(step.module, x)
            if known is not None:
                statistics[step.name] = known
            x = step(x)
        return x, statistics

    def inverse(self, y: torch.Tensor, statistics: Mapping[str, Any] | None = None) -> torch.Tensor:
        """Return the inputs whose outputs are ``y``, and warn where there is none, or more than one.

        Differentiable but through plain layers followed by a ReLU and through projections. The residual costs
        one evaluation; `invert` returns it.

        Args:
            y: Outputs, shape ``(N, *out_shape)``.
            statistics: As `forward_with_statistics` returns them; needed where the modules normalise by
                statistics of what they read.

        Raises:
            ArgumentError: If statistics are missing or do not fit, a module loses information as it stands,
                or the shape of the inputs is needed and not known.

        Warns:
            NumericalWarning: Where outputs are off the range, have several inputs, or a search behind a
                projection did not converge.
        """
        found = self.invert(y, statistics)
        found.warn()
        return found.x

    def invert(
        self, y: torch.Tensor, statistics: Mapping[str, Any] | None = None, *, restarts: int = RESTARTS
    ) -> Inversion:
        """Return the inputs whose outputs are ``y`` with the residual; see `inverse`.

        A projection is not undone by itself: the network's input is searched for, by least squares, from the
        layerwise answer and, where that fails, from the best of many random inputs.

        Args:
            y: Outputs, shape ``(N, *out_shape)``.
            statistics: As for `inverse`.
            restarts: How often the search behind a projection begins again for those it has not found.

        Example:
            >>> import torch, unrelu
            >>> model = unrelu.nn.InjectiveSequential(unrelu.nn.InjectiveLinear(1, 3), torch.nn.ReLU())
            >>> found = model.invert(torch.ones(1, 3))  # of two opposite rows one is 0 on the range
            >>> bool(found.residual > 0.1)
            True
        """
        restarts = whole_number("restarts", restarts, 0)
        return Way(steps_of(self), self._input_shape()).back(y, statistics, restarts)

    def log_volume(self, x: torch.Tensor) -> torch.Tensor:
        r"""Return :math:`\tfrac12 \log\det J^T J` at samples: what the map does to volume.

        With at most `EXACT_LIMIT` inputs, the Jacobians are computed and the answer is exact and
        differentiable; with more it is the value of `estimate_log_volume`, which also tells its error.

        Args:
            x: Samples, shape ``(N, *in_shape)``.

        Returns:
            Shape ``(N,)``.

        Raises:
            ArgumentError: If a module treats the samples of a batch together or at random, as batch
                normalisation and dropout do in training mode.
        """
        check_samples(steps_of(self))
        if math.prod(x.shape[1:]) <= EXACT_LIMIT:
            return log_volume(self, x)
        return self.estimate_log_volume(x).value

    def estimate_log_volume(
        self,
        x: torch.Tensor,
        *,
        probes: int = 16,
        steps: int = 40,
        generator: torch.Generator | None = None,
    ) -> VolumeEstimate:
        """Estimate the same from products with the Jacobian; see `unrelu.nn.estimate_log_volume`."""
        check_samples(steps_of(self))
        return estimate_log_volume(self, x, probes=probes, steps=steps, generator=generator)

    def decide(
        self,
        input_shape: Sequence[int] | None = None,
        domain: Domain | None = None,
        *,
        time_limit: float = 60.0,
    ) -> NetworkDecision:
        """Decide whether different inputs have different outputs, with proof; see `unrelu.decide`.

        The network is read as it is now, in evaluation mode. The certificate is one that `unrelu.verify`
        checks against ``unrelu.trace(model, example)`` or the same model in an ONNX file.

        Args:
            input_shape: Shape of one input; the model's own when ``None``.
            domain: Where inputs live; all of R^n when ``None``.
            time_limit: Seconds for a layer, about.

        Returns:
            The decision; where it is UNKNOWN, its reason ends in what speaks for injectivity without proving
            it: a lower Lipschitz bound in floating point, or a generic projection.

        Raises:
            ArgumentError: If the shape of the inputs is not known.
        """
        shape = self._input_shape() if input_shape is None else tuple(input_shape)
        if shape is None:
            raise ArgumentError("input_shape: expected the shape of one input, got none")
        found = decide(trace(self, self._template().new_zeros(1, *shape)), domain, time_limit=time_limit)
        if found.verdict != Verdict.UNKNOWN:
            return found
        return replace(found, reason="; ".join([found.reason, *self._evidence()]))

    def lower_lipschitz(self) -> float:
        """Return a lower Lipschitz bound on all of R^n: the product of those of its parts; 0 if one has none.

        Inputs at a distance d have outputs at a distance of that times d at least, so that an error of the
        output is magnified by its inverse at most. In floating point, from the weights as they are; it is
        known for injective layers, skips and contractive residual blocks, dense layers without a ReLU, batch
        normalisation in evaluation mode, leaky ReLUs and what moves entries.
        """
        return math.prod(lower_lipschitz(step) for step in steps_of(self))

    def _evidence(self) -> list[str]:
        """Return what speaks for injectivity without proving it."""
        told = []
        bound = self.lower_lipschitz()
        if bound > 0:
            told.append(
                f"in floating point its lower Lipschitz bound is {bound:.2g}, which is no certificate"
            )
        generic = [step for step in steps_of(self) if isinstance(step.module, GenericProjection)]
        if generic:
            told.append(
                f"{generic[0]} keeps injectivity almost surely, which proves nothing of the one at hand"
            )
        return told

    def _check_projections(self) -> None:
        """Refuse a projection that was made for fewer inputs than the network has.

        Raises:
            ArgumentError: If there is one.
        """
        n = math.prod(self._input_shape() or ())
        for step in steps_of(self):
            if isinstance(step.module, GenericProjection) and n > step.module.intrinsic:
                raise ArgumentError(
                    f"{step}: expected an intrinsic dimension of at least {n}, the number of inputs, "
                    f"got {step.module.intrinsic}"
                )

    def output_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of one output for a shape of one input, without batch axis.

        Args:
            input_shape: Shape of one input.
        """
        with torch.no_grad():
            sample = self._template().new_zeros(1, *input_shape)
            return tuple(Way(steps_of(self), None).forward(sample).shape[1:])

    def _template(self) -> torch.Tensor:
        """Return a tensor of the dtype and on the device of the weights."""
        tensors = (*self.parameters(), *self.buffers())
        return next((t for t in tensors if t.is_floating_point()), torch.empty(0))

    def _input_shape(self) -> tuple[int, ...] | None:
        if self.input_shape is not None:
            return self.input_shape
        features = getattr(next(iter(steps_of(self))).module, "in_features", None) if len(self) else None
        return None if features is None else (int(features),)


def _numbered(modules: Sequence[Any]) -> OrderedDict[str, nn.Module]:
    return OrderedDict((str(k), module) for k, module in enumerate(modules))
