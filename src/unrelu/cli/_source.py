"""A network and the samples it is asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from unrelu.cli._options import layer_of, per_channel, shape_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from unrelu.arrays import Array
    from unrelu.datasets import Dataset
    from unrelu.domains import Box, Domain
    from unrelu.layers import Network, ReLULayer


@dataclass(frozen=True)
class Source:
    """What the arguments of a command name.

    Attributes:
        network: The model.
        raw: The data as they come.
        mean: What is subtracted from them; ``None`` for nothing.
        std: What they are then divided by.
    """

    network: Network
    raw: Dataset
    mean: float | list[float] | None
    std: float | list[float] | None

    @property
    def data(self) -> Dataset:
        """The data as the model takes them."""
        if self.mean is None and self.std is None:
            return self.raw
        return self.raw.normalized(
            0.0 if self.mean is None else self.mean, 1.0 if self.std is None else self.std
        )

    def layer(self, name: str | None) -> ReLULayer:
        """Return the layer of that name, the first one where there is none.

        Raises:
            typer.BadParameter: If there is no such layer.
        """
        return layer_of(self.network, name)

    def inputs(self) -> np.ndarray:
        """Return the data in the model's input shape, in float64."""
        import numpy as np

        from unrelu.audit import fit

        return np.asarray(fit(self.data, self.network), dtype=np.float64)

    def image(self, x: Array) -> np.ndarray | None:
        """Return an input of the model as an image, channels first; ``None`` where it is none."""
        import numpy as np

        pixels, shape = np.asarray(x), self.raw.inputs.shape[1:]
        if self.raw.layout != "CHW" or pixels.size != int(np.prod(shape)):
            return None
        last = (*shape[1:], shape[0])
        if self.network.input_shape == last != shape:
            return pixels.reshape(last).transpose(2, 0, 1)
        return pixels.reshape(shape)

    def inputs_of(self, layer: ReLULayer, index: int | None = None) -> np.ndarray:
        """Return the activations that a layer is affine in, in float64.

        Args:
            layer: The layer.
            index: Number of one sample; all samples when ``None``.

        Returns:
            Shape ``(N, n)``, or ``(n,)`` for one sample.

        Raises:
            typer.BadParameter: If there is no such sample.
        """
        import torch

        samples = self.inputs()
        if index is not None:
            self.check_index(index, "--index")
            samples = samples[index : index + 1]
        with torch.no_grad():
            walked = self.network.walk(torch.from_numpy(samples))
            inputs = next(x for other, x in walked if other is layer).numpy()
        return inputs if index is None else inputs[0]

    def check_index(self, index: int, option: str) -> None:
        """Refuse the number of a sample that there is not.

        Raises:
            typer.BadParameter: Naming the option.
        """
        if index >= len(self.raw):
            message = f"expected a number below {len(self.raw)}, the number of samples, got {index}"
            raise typer.BadParameter(message, param_hint=option)

    def domain(self, text: str, layer: ReLULayer | None = None) -> Domain | None:
        """Return the domain that a text names.

        Args:
            text: The text.
            layer: The layer whose inputs are meant, the network's inputs when ``None``; these are in the
                units of the raw data.

        Returns:
            The domain, ``None`` for all of R^n.

        Raises:
            ArgumentError: If the text names no domain.
            typer.BadParameter: If it cannot be carried over to normalised data.
        """
        from unrelu.domains import Box, Space, parse_domain

        domain = parse_domain(text)
        if isinstance(domain, Space):
            return None
        deeper = layer is not None and layer.source != self.network.input_name
        if deeper or (self.mean is None and self.std is None):
            return domain
        if not (isinstance(domain, Box) and domain.bounded):
            message = f"with --mean or --std expected box:LO,HI or space, got {text!r}"
            raise typer.BadParameter(message, param_hint="--domain")
        return Box(*self._in_units_of_the_model(domain))

    def _in_units_of_the_model(self, box: Box) -> np.ndarray:
        import numpy as np

        shape = self.raw.inputs.shape[1:]
        corners = np.stack([bound.reshape(shape) for bound in box.bounds(int(np.prod(shape)))])
        ends = replace(self, raw=replace(self.raw, inputs=corners.astype(self.raw.inputs.dtype), labels=None))
        return ends.inputs().reshape(2, -1)


def open_source(
    model: str,
    data: str,
    *,
    mean: str | None,
    std: str | None,
    weights: Path | None,
    input_shape: str | None,
    limit: int | None = None,
) -> Source:
    """Load the data and the model that the arguments of a command name."""
    from unrelu.cli._models import load_network
    from unrelu.datasets import load

    shift, scale = per_channel(mean, "--mean"), per_channel(std, "--std")
    shape = shape_of(input_shape)
    dataset = load(data)
    if limit is not None:
        dataset = dataset.take(limit)
    network = load_network(model, weights, dataset.inputs[0], shape)
    source = Source(network, dataset, _one_or_many(shift), _one_or_many(scale))
    _ = source.data  # a mean or std that does not fit is refused here
    return source


def _one_or_many(numbers: list[float] | None) -> float | list[float] | None:
    return numbers[0] if numbers is not None and len(numbers) == 1 else numbers
