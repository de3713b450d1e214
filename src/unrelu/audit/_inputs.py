"""From data as they come to what a model takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu.datasets import Dataset, load
from unrelu.errors import DataError

if TYPE_CHECKING:
    from unrelu.layers import Network


def as_dataset(data: Any) -> Dataset:
    """Return a data source as a `Dataset`: a name or path, an array of samples, or a data set itself."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, torch.Tensor):
        data = data.detach().cpu().numpy()
    if isinstance(data, np.ndarray):
        return Dataset("array", data, kind="array", source="an array in memory")
    return load(data)


def fit(data: Dataset, network: Network) -> np.ndarray:
    """Return the samples in the model's input shape.

    Axes of length 1 may be missing or added, samples may be flat where the model's are not or the other way
    round, and images may come channels first where the model takes channels last. Nothing else is guessed.

    Raises:
        DataError: If the samples cannot be the model's inputs.
    """
    inputs, wanted = data.inputs, network.input_shape
    given = inputs.shape[1:]
    if given == wanted:
        return inputs
    if data.layout == "CHW" and len(wanted) == 3 and (*given[1:], given[0]) == wanted:
        return inputs.transpose(0, 2, 3, 1)
    kept, needed = _without_ones(given), _without_ones(wanted)
    flat = math.prod(given) == math.prod(wanted) and 1 in (len(kept), len(needed))
    if kept == needed or flat:
        return inputs.reshape(len(inputs), *wanted)
    raise DataError(f"{data.name}: its samples have shape {given}, but {network.origin} takes {wanted}")


def shown_shape(data: Dataset, inputs: np.ndarray) -> tuple[int, ...] | None:
    """Return the shape in which a flat input of the model is a sample of the data.

    Args:
        data: The data.
        inputs: What `fit` made of them.

    Returns:
        The shape; ``None`` where the model takes the entries in another order, channels last.
    """
    given, wanted = data.inputs.shape[1:], inputs.shape[1:]
    if data.layout != "CHW":
        return wanted
    reordered = len(wanted) == 3 and given[0] > 1 and wanted != given
    return None if reordered else given


def evenly_spread(count: int, samples: int) -> np.ndarray:
    """Return the numbers of so many samples, evenly spread."""
    return np.unique(np.linspace(0, samples - 1, min(count, samples)).round().astype(int))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1) or (1,)
