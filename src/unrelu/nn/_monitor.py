"""A record of invertibility over a training run (Eckert et al. 2024, Figure 2)."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

from torch import nn

from unrelu.errors import ArgumentError, MissingExtraError
from unrelu.nn._invertibility import Invertibility, measure_invertibility

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd

    from unrelu.arrays import Array
    from unrelu.datasets import Dataset


@final
class InvertibilityMonitor:
    """Measures how invertible a model's ReLU layers are, as it is trained; see `measure_invertibility`.

    Nothing is attached to the model, and its mode, gradients and the random state stay as they are, so a run
    with a monitor gives the same weights as one without.

    Args:
        model: The model in training.
        data: Samples of shape ``(N, *input_shape)``; some hundreds tell enough for a curve.
        every: Steps between measurements.
        biases: Whether the share of biases below ``alpha*`` is measured too; it takes most of the time.
        certify: Prove points by rank instead of counting active rows.
        noise_std: Standard deviation of the noise in the estimate of ``alpha*``.
        n_samples: Samples of that estimate.
        seed: Of that estimate.
        writer: TensorBoard: a ``SummaryWriter``, anything with its ``add_scalar``, or a folder for logs.

    Attributes:
        history: What was measured, oldest first.

    Raises:
        ArgumentError: If ``every`` is below 1 or ``model`` is not a torch module.
        MissingExtraError: If a folder for logs is named and TensorBoard is not installed.

    Example:
        >>> import torch, unrelu
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.ReLU())
        >>> monitor = unrelu.nn.InvertibilityMonitor(model, torch.rand(20, 2), every=5, biases=False)
        >>> for epoch in range(10):
        ...     record = monitor.step(epoch)
        >>> [record.step for record in monitor.history]
        [0, 5]
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset | Array,
        *,
        every: int = 1,
        biases: bool = True,
        certify: bool = False,
        noise_std: float = 0.0,
        n_samples: int | None = None,
        seed: int = 0,
        writer: Any = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ArgumentError(f"model: expected an nn.Module, got {type(model).__name__}")
        if every < 1:
            raise ArgumentError(f"every: expected a number of steps >= 1, got {every}")
        self.model, self.data, self.every = model, data, every
        self.history: list[Invertibility] = []
        self._options: dict[str, Any] = {
            "biases": biases,
            "certify": certify,
            "noise_std": noise_std,
            "n_samples": n_samples,
            "seed": seed,
        }
        self._writer = writer if writer is None or hasattr(writer, "add_scalar") else _summary_writer(writer)

    def step(self, step: int) -> Invertibility | None:
        """Measure and record if ``step`` is a multiple of ``every``; otherwise do nothing.

        Args:
            step: Number of the epoch or batch.

        Returns:
            What was measured, or ``None``.
        """
        if step % self.every:
            return None
        record = measure_invertibility(self.model, self.data, step=step, **self._options)
        self.history.append(record)
        if self._writer is not None:
            for tag, value in scalars(record).items():
                self._writer.add_scalar(tag, value, step)
        return record

    def to_frame(self) -> pd.DataFrame:
        """Return one row a layer and step, with the attributes of `LayerInvertibility` as columns.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("data frames need pandas: pip install 'unrelu[frame]'") from error
        columns = ["step", "name", "n", "m", "samples", "singleton_share", "certified", "bias_share"]
        rows = [{"step": record.step, **asdict(layer)} for record in self.history for layer in record.layers]
        return pandas.DataFrame(rows, columns=columns)

    def plot(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Draw both measures of every layer against the step, as PNG, SVG or PDF by the file's ending.

        Raises:
            ArgumentError: If nothing was recorded, or the ending is another one.
            OutputError: If the file cannot be written, or exists and ``force`` is false.
        """
        from unrelu.nn._pictures import draw_history

        return draw_history(self.history, path, force=force)


def scalars(record: Invertibility) -> dict[str, float]:
    """Return a record as named numbers, the way loggers take them."""
    named = {}
    for layer in record.layers:
        named[f"invertibility/{layer.name}/singleton_share"] = layer.singleton_share
        if layer.bias_share is not None:
            named[f"invertibility/{layer.name}/bias_share"] = layer.bias_share
    return named


def _summary_writer(folder: Any) -> Any:
    try:
        module = import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise MissingExtraError("writer: TensorBoard is not installed; pip install tensorboard") from error
    return module.SummaryWriter(folder)
