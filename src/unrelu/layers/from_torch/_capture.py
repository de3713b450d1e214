"""The graph that `torch.export` captures, read and compared with the module it came from."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from unrelu.errors import ModelError
from unrelu.layers._messages import first_line
from unrelu.layers.from_torch._walk import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.export import ExportedProgram

    from unrelu.layers._network import Network

_AGREEMENT = 1e-3  # relative, against the module in its own dtype; a misread node is off by far more


def read_captured(module: nn.Module, example: torch.Tensor, *, name: str, origin: str) -> Network:
    """Capture a module's graph, read it, and compare the network with the module.

    Args:
        module: In evaluation mode.
        example: One sample, of shape ``(1, ...)``.
        name: What the module is called where it cannot be captured.
        origin: What the network is called.

    Raises:
        ModelError: If the module cannot be captured, has several inputs or is random, or a node cannot be
            read.
    """
    with torch.no_grad():
        program = _capture(module, example, name)
        network = read(program, origin)
        _check_agreement(network, module, example, _precision(program))
    return network


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
