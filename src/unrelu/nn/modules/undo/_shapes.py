"""Modules that only move entries."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules.undo._step import Place, Step, Undone


def undo_reshape(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Give the entries of each sample their old shape.

    Raises:
        ArgumentError: If samples have another number of entries, or the module mixes them.
    """
    shape = () if place.shape is None else place.shape
    if getattr(step.module, "start_dim", 1) == 0:
        raise ArgumentError(f"{step}: expected start_dim of at least 1, got 0, which joins samples")
    if y[0].numel() != math.prod(shape):
        raise ArgumentError(f"{step}: expected {math.prod(shape)} entries a sample, got {y[0].numel()}")
    return Undone(y.reshape(len(y), *shape))


def undo_pixel_shuffle(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Collect blocks of pixels as channels again."""
    factor = cast("nn.PixelShuffle", step.module).upscale_factor
    return Undone(nn.functional.pixel_unshuffle(y, factor))


def undo_pixel_unshuffle(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Lay channels out as blocks of pixels again."""
    factor = cast("nn.PixelUnshuffle", step.module).downscale_factor
    return Undone(nn.functional.pixel_shuffle(y, factor))
