"""Lightning's view of the monitor: a callback. Not imported by `unrelu.nn`; needs the extra ``lightning``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, final

from torch import nn

from unrelu.errors import MissingExtraError
from unrelu.nn._invertibility import Invertibility, LayerInvertibility
from unrelu.nn._monitor import InvertibilityMonitor, scalars

try:
    from lightning.pytorch.callbacks import Callback
except ImportError as error:
    raise MissingExtraError(
        "unrelu.nn.lightning needs lightning, which is not installed; pip install 'unrelu[lightning]'"
    ) from error

if TYPE_CHECKING:
    from unrelu.arrays import Array
    from unrelu.datasets import Dataset

__all__ = ["InvertibilityCallback"]


@final
class InvertibilityCallback(Callback):
    """Measures invertibility before training and after every ``every``-th epoch, and logs it.

    The figures are logged as ``invertibility/<layer>/singleton_share`` and ``.../bias_share``, names by which
    early stopping and checkpoints find them too, and kept in ``history``, which checkpoints store.

    Args:
        data: Samples of shape ``(N, *input_shape)``.
        every: Epochs between measurements.
        model: Takes the Lightning module to the torch module that is measured; by default itself.
        options: Further options of `InvertibilityMonitor`.

    Attributes:
        monitor: The monitor, from the start of training on; for its table and picture.

    Example:
        >>> import torch
        >>> callback = InvertibilityCallback(torch.rand(100, 4), every=2, model=lambda module: module.net)
    """

    def __init__(
        self,
        data: Dataset | Array,
        *,
        every: int = 1,
        model: Callable[[Any], nn.Module] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.monitor: InvertibilityMonitor | None = None
        self._earlier: list[Invertibility] = []
        self._data, self._every, self._model, self._options = data, every, model, options

    @property
    def history(self) -> list[Invertibility]:
        """What was measured, oldest first; the number of completed epochs is the step."""
        return self.monitor.history if self.monitor else self._earlier

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Measure the model as it is before training; a run that is resumed goes on with its history."""
        model = self._model(pl_module) if self._model else pl_module
        self.monitor = InvertibilityMonitor(model, self._data, every=self._every, **self._options)
        self.monitor.history += self._earlier
        if not self._earlier:
            self._measure(trainer.current_epoch, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Measure after an epoch, on every process alike: all have the same weights."""
        self._measure(trainer.current_epoch + 1, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return the history in plain numbers, for the trainer's checkpoints."""
        return {"history": [asdict(record) for record in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the history of a run that is resumed."""
        self._earlier = [
            Invertibility(tuple(LayerInvertibility(**layer) for layer in record["layers"]), record["step"])
            for record in state_dict["history"]
        ]

    def _measure(self, epochs: int, pl_module: Any) -> None:
        record = self.monitor.step(epochs) if self.monitor else None
        if record is not None:
            pl_module.log_dict(scalars(record), on_step=False, on_epoch=True)
