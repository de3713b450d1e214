"""Iris (Fisher 1936) and the 8x8 digits (Alpaydin and Kaynak 1998), which come with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unrelu.datasets._dataset import Dataset
from unrelu.datasets._optional import optional
from unrelu.datasets._registry import register


@register("iris")
def iris(split: str = "", folder: Path | None = None) -> Dataset:
    """150 flowers with 4 lengths in centimetres, as measured."""
    raw = optional("sklearn.datasets", "iris").load_iris()
    return Dataset(
        name="iris",
        inputs=np.asarray(raw.data, dtype=np.float64),
        labels=np.asarray(raw.target, dtype=np.int64),
        kind="table",
        class_names=tuple(str(name) for name in raw.target_names),
        source="Fisher 1936, The use of multiple measurements in taxonomic problems; copy in scikit-learn",
    )


@register("digits")
def digits(split: str = "", folder: Path | None = None) -> Dataset:
    """1797 handwritten digits of 8x8 pixels, scaled from 0..16 to [0, 1]."""
    raw = optional("sklearn.datasets", "digits").load_digits()
    return Dataset(
        name="digits",
        inputs=np.asarray(raw.images, dtype=np.float64)[:, None] / 16,
        labels=np.asarray(raw.target, dtype=np.int64),
        kind="image",
        class_names=tuple("0123456789"),
        source="Alpaydin and Kaynak 1998, Optical recognition of handwritten digits; copy in scikit-learn",
    )
