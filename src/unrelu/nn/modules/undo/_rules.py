"""Which modules can be undone, and how: torch's own by their kind, all others by their ``inverse``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules._conv_base import InjectiveConv
from unrelu.nn.modules._normalisation import (
    NORMALISATIONS,
    depends_on_data,
    normalisation_statistics,
    undo_normalisation,
)
from unrelu.nn.modules._projection import GenericProjection
from unrelu.nn.modules.undo._activations import INVERSES, undo_activation, undo_dropout
from unrelu.nn.modules.undo._affine import undo_convolution, undo_linear, undo_projection
from unrelu.nn.modules.undo._shapes import undo_pixel_shuffle, undo_pixel_unshuffle, undo_reshape
from unrelu.nn.modules.undo._step import Place, Step, Undone


@dataclass(frozen=True)
class Rule:
    """How a kind of module is undone.

    Attributes:
        undo: Takes a step, its outputs and what is known of its place.
        rectifiable: Whether a ReLU may follow the module.
        unrectified: Whether the module may stand without one.
        shaped: Whether it needs the shape of the inputs.
        helped: Whether it makes use of that shape where it is known.
        keeps_shape: Whether outputs have the shape of the inputs.
    """

    undo: Callable[[Step, torch.Tensor, Place], Undone]
    rectifiable: bool = False
    unrectified: bool = True
    shaped: bool = False
    helped: bool = False
    keeps_shape: bool = False


def rule_of(step: Step) -> Rule:
    """Return how a step is undone.

    Raises:
        ArgumentError: If it cannot be.
    """
    module = step.module
    own = callable(getattr(module, "inverse", None))
    rule = _own_rule(module) if own else _torch_rule(module)
    if rule is None:
        raise ArgumentError(
            f"{step}: expected a module that can be undone, but nothing is known of this kind"
        )
    if step.rectified and not (takes_activations(module) if own else rule.rectifiable):
        raise ArgumentError(
            f"{step}: expected an injective layer in front of a ReLU, which loses what is negative"
        )
    if not step.rectified and not rule.unrectified:
        raise ArgumentError(f"{step}: expected a ReLU behind it; without one it cannot be undone")
    features = getattr(module, "in_features", 0), getattr(module, "out_features", 0)
    if rule.undo is undo_linear and features[1] < features[0]:
        raise ArgumentError(
            f"{step}: expected at least in_features = {features[0]} out_features, got {features[1]}: "
            f"it loses information"
        )
    return rule


def _torch_rule(module: nn.Module) -> Rule | None:
    return next((RULES[kind] for kind in type(module).__mro__ if kind in RULES), None)


def _own_rule(module: nn.Module) -> Rule:
    return _OWN_CONVOLUTION if isinstance(module, InjectiveConv) else _OWN


def takes_activations(module: nn.Module) -> bool:
    """Say whether ``module.inverse`` takes what a ReLU behind the module leaves of its outputs."""
    return callable(getattr(module, "lower_lipschitz", None))


def statistics_of(module: nn.Module, x: torch.Tensor) -> Any:
    """Return what a module forgets of its input and hands over; ``None`` where it forgets nothing."""
    if callable(getattr(module, "inverse", None)):
        handed = getattr(module, "statistics", None)
        return handed(x) if callable(handed) else None
    if isinstance(module, NORMALISATIONS) and depends_on_data(module):
        return normalisation_statistics(module, x)
    return None


def has_statistics(module: nn.Module) -> bool:
    """Say whether a module is undone with statistics of its input only."""
    if callable(getattr(module, "inverse", None)):
        return callable(getattr(module, "statistics", None))
    return isinstance(module, NORMALISATIONS) and depends_on_data(module)


def _undo_own(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Ask the module itself."""
    if takes_activations(step.module) and not step.rectified:
        y = torch.relu(y)
    known = (_known_statistics(step, place),) if has_statistics(step.module) else ()
    return Undone(cast("Any", step.module).inverse(y, *known))


def _undo_own_convolution(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Ask an injective convolution, with the size of the image: with stride the outputs do not tell it."""
    size = None if place.shape is None else place.shape[1:]
    return Undone(cast("Any", step.module).inverse(y if step.rectified else torch.relu(y), size))


def _undo_normalisation(step: Step, y: torch.Tensor, place: Place) -> Undone:
    if not depends_on_data(step.module):
        return Undone(undo_normalisation(step.module, y, normalisation_statistics(step.module, y)))
    return Undone(undo_normalisation(step.module, y, _known_statistics(step, place)))


def _known_statistics(step: Step, place: Place) -> Any:
    """Return the statistics that were handed over.

    Raises:
        ArgumentError: If there are none.
    """
    if place.statistics is not None:
        return place.statistics
    mode = " or evaluation mode" if hasattr(step.module, "running_mean") and step.module.training else ""
    raise ArgumentError(
        f"{step}: expected statistics, as forward_with_statistics hands them over{mode}, got none: "
        f"it divides by statistics of its input"
    )


_OWN = Rule(_undo_own)
_OWN_CONVOLUTION = Rule(_undo_own_convolution, helped=True)
_KEEPING = Rule(undo_activation, keeps_shape=True)
_DROPPING = Rule(undo_dropout, keeps_shape=True)
_CONVOLVING = Rule(undo_convolution, rectifiable=True, unrectified=False, shaped=True)

RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(INVERSES, _KEEPING),
    **dict.fromkeys(NORMALISATIONS, Rule(_undo_normalisation, keeps_shape=True)),
    nn.Linear: Rule(undo_linear, rectifiable=True),
    GenericProjection: Rule(undo_projection),
    nn.Conv1d: _CONVOLVING,
    nn.Conv2d: _CONVOLVING,
    nn.Conv3d: _CONVOLVING,
    nn.Flatten: Rule(undo_reshape, shaped=True),
    nn.Unflatten: Rule(undo_reshape, shaped=True),
    nn.PixelShuffle: Rule(undo_pixel_shuffle),
    nn.PixelUnshuffle: Rule(undo_pixel_unshuffle),
    nn.Dropout: _DROPPING,
    nn.Dropout1d: _DROPPING,
    nn.Dropout2d: _DROPPING,
    nn.Dropout3d: _DROPPING,
}
"""How torch's own modules are undone, by kind."""
