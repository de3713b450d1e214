"""Networks from torch modules and ``.pt2`` archives, read off the graph that `torch.export` captures."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from unrelu.errors import ArgumentError, ModelError
from unrelu.layers._torch_registry import first_line
from unrelu.layers._torch_walk import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch.export import ExportedProgram

    from unrelu.layers._network import Network

_AGREEMENT = 1e-3  # relative, against the module in its own dtype; a misread node is off by far more


def network_from_module(module: nn.Module, example_input: Any) -> Network:
    """Capture a module in evaluation mode and read its graph.

    Raises:
        ArgumentError: If ``example_input`` is not a batch of numbers.
        ModelError: If the module cannot be captured, has several inputs, or a node cannot be read.
    """
    example = _example(module, example_input)
    was_training = [child for child in module.modules() if child.training]
    module.eval()
    try:
        with torch.no_grad():
            name = type(module).__name__
            program = _capture(module, example, name)
            network = read(program, name)
            _check_agreement(network, module, example, _precision(program))
    finally:
        for child in was_training:
            child.training = True
    return network


def network_from_archive(path: Path) -> Network:
    """Read a file written by ``torch.export.save``; nothing in it is executed or unpickled.

    Raises:
        ModelError: If the file is no such archive, holds anything but plain tensors, or a node cannot be
            read.
    """
    from unrelu.layers._pt2 import load_archive

    try:
        with torch.no_grad():
            module, example = load_archive(path)
            program = _capture(module, example, "the graph")
            network = read(program, path.name)
            _check_agreement(network, module, example, _precision(program))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return network


def _example(module: nn.Module, example_input: Any) -> torch.Tensor:
    if isinstance(example_input, tuple | list) and len(example_input) == 1:
        example_input = example_input[0]
    if not isinstance(example_input, torch.Tensor | np.ndarray):
        kind = type(example_input).__name__
        raise ArgumentError(f"example_input: expected one tensor or array with a batch axis, got {kind}")
    reference = next((p for p in module.parameters() if p.is_floating_point()), None)
    example = torch.as_tensor(example_input)
    if example.dim() < 1 or len(example) < 1:
        raise ArgumentError(f"example_input: expected at least one sample, got shape {tuple(example.shape)}")
    if reference is not None:
        example = example.to(device=reference.device, dtype=reference.dtype)
    return example[:1]


def _capture(module: nn.Module, example: torch.Tensor, name: str) -> ExportedProgram:
    try:
        with warnings.catch_warnings(), _quiet("torch._subclasses.fake_tensor"):
            warnings.simplefilter("ignore")  # torch's own deprecations, not the caller's business
            return torch.export.export(module, (example,), strict=False)
    except ModelError:
        raise
    except Exception as error:
        shape = tuple(example.shape)
        raise ModelError(
            f"{name}: torch.export cannot capture it for an input of shape {shape}: {first_line(error)}"
        ) from error


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger that prints the traceback of every error that it passes on."""
    logger = logging.getLogger(name)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _precision(program: ExportedProgram) -> float:
    """Return the coarsest rounding unit among the dtypes of a program and of the blocks in it."""
    blocks = [part for part in program.graph_module.modules() if isinstance(part, fx.GraphModule)]
    values = (node.meta.get("val") for block in blocks for node in block.graph.nodes)
    dtypes = {value.dtype for value in values if isinstance(value, torch.Tensor)}
    return max((torch.finfo(dtype).eps for dtype in dtypes if dtype.is_floating_point), default=0.0)


def _check_agreement(network: Network, module: nn.Module, example: torch.Tensor, precision: float) -> None:
    """Compare the composed layers with the module itself on the example.

    Raises:
        ModelError: If they disagree, which means that the graph was misread or the module is random.
    """
    got = network.forward(example.reshape(1, *network.input_shape).double().cpu())
    expected = _output_like(got, module(example))
    scale = float(expected.abs().max())
    error = float((got - expected).abs().max())
    if error <= max(_AGREEMENT, 16 * precision) * max(scale, 1e-30):
        return
    if not torch.equal(expected, _output_like(got, module(example))):
        raise ModelError(f"{network.origin}: the module is random, it has two outputs for one input")
    raise ModelError(
        f"{network.origin}: the traced network differs from the module by {error:.2g} on the example input "
        f"(output size {scale:.2g}); please report this module"
    )


def _output_like(got: torch.Tensor, outputs: Any) -> torch.Tensor:
    """Return the output of ``got``'s size: of several only one depends on the input."""
    tensors = [t for t in tree_leaves(outputs) if isinstance(t, torch.Tensor) and t.numel() == got.numel()]
    return tensors[0].reshape(got.shape).double().cpu()
