"""Rows appended to a layer of a torch module, by way of its graph (`torch.fx`).

The ReLU acts on the old rows with the new ones behind them; what reads it gets a copy of the old rows alone,
of the same layout, and computes the same bits as before.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, final

import torch
from torch import fx, nn
from torch.nn.utils import parametrize

from unrelu.errors import ModelError
from unrelu.layers._messages import first_line

if TYPE_CHECKING:
    from unrelu.layers._relu_layer import ReLULayer
    from unrelu.layers.surgery._new_rows import NewRows

_CONVOLUTIONS = {1: nn.functional.conv1d, 2: nn.functional.conv2d, 3: nn.functional.conv3d}
_ELEMENTWISE = (nn.Identity, nn.Dropout, nn.modules.batchnorm._BatchNorm)  # between a layer's matrix and ReLU
_MOVES = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_AFFINE = (*_MOVES, nn.modules.batchnorm._BatchNorm, nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_RELUS = {torch.relu, torch.relu_, nn.functional.relu, nn.functional.relu_}
_METHODS = {"contiguous", "flatten", "permute", "reshape", "squeeze", "transpose", "unsqueeze", "view"}
_FUNCTIONS = {getattr(torch, name) for name in _METHODS if hasattr(torch, name)}


@final
class AppendedRows(nn.Module):
    """Rows with new ones behind them: ``[z; -z_S; e; -e_P]`` with ``e = E x + c``.

    Negatives are taken of what was computed, so that opposite rows stay opposite whatever becomes of the
    weights.

    Args:
        new: The rows; ``E`` and ``c`` become buffers.
        like: A weight of the layer; the numbers are of its dtype and on its device.
        convolution: The convolution whose strides, padding and dilation new kernels share.
    """

    partners: torch.Tensor
    rows: torch.Tensor
    offset: torch.Tensor

    def __init__(self, new: NewRows, like: torch.Tensor, convolution: nn.Module | None = None) -> None:
        super().__init__()
        self.register_buffer("partners", torch.from_numpy(new.partners).to(like.device))
        self.register_buffer("rows", torch.from_numpy(new.weight).to(like))
        self.register_buffer("offset", torch.from_numpy(new.bias).to(like))
        self.pairs = new.pairs
        self.options = {
            name: getattr(convolution, name)
            for name in ("stride", "padding", "dilation")
            if convolution is not None
        }

    def forward(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the rows ``z``, of shape ``(batch, m, ...)``, and behind them the new ones at ``x``."""
        parts = [z]
        if len(self.partners):
            parts.append(-z.index_select(1, self.partners))
        if len(self.rows):
            dims = self.rows.dim() - 2
            if dims:
                parts.append(_CONVOLUTIONS[dims](x, self.rows, self.offset, **self.options))
            else:
                parts.append(nn.functional.linear(x.flatten(1), self.rows, self.offset))
        if self.pairs:
            parts.append(-parts[-1][:, : self.pairs])
        layout = _layout(z)
        return torch.cat([part.contiguous(memory_format=layout) for part in parts], dim=1)

    def extra_repr(self) -> str:
        """Tell how many rows are appended."""
        return f"partners={len(self.partners)}, rows={len(self.rows)}, pairs={self.pairs}"


def _layout(z: torch.Tensor) -> torch.memory_format:
    """Return how images are laid out in memory."""
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(z.dim())
    if last is None or z.is_contiguous() or not z.is_contiguous(memory_format=last):
        return torch.contiguous_format
    return last


@final
class LeadingRows(nn.Module):
    """The first rows of what a completed layer gives; a forward hook on it sees them all.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Return a copy of ``y[:, :count]``, laid out in memory as if there were no other rows."""
        return y[:, : self.count].clone(memory_format=torch.preserve_format)

    def extra_repr(self) -> str:
        """Tell how many rows."""
        return f"count={self.count}"


@final
class _Tracer(fx.Tracer):
    """Takes what others made of one piece as one piece."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = m.__class__.__module__.startswith("unrelu.")
        return own or parametrize.is_parametrized(m) or super().is_leaf_module(m, module_qualified_name)


def append_to_module(module: nn.Module, layer: ReLULayer, new: NewRows) -> fx.GraphModule:
    """Return a module with rows appended to a layer.

    Args:
        module: Any module whose graph `torch.fx` can take; it is left as it is. Whether it is in training
            mode is read off it once.
        layer: One of the layers of the network traced from it, made by one ``nn.Linear`` or ``nn.Conv1d``,
            ``2d`` or ``3d`` that is called once.
        new: The rows.

    Returns:
        A copy with the same parameters under the same names, and new buffers.

    Raises:
        ModelError: If the graph cannot be taken, or the layer is made in another way.
    """
    graphs = _graph_of(module)
    graph, modules = graphs.graph, dict(graphs.named_modules())
    calls = [node for node in graph.nodes if node.op == "call_module" and node.target == layer.name]
    owner = modules.get(layer.name)
    if len(calls) != 1 or not isinstance(owner, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        kind = "no module" if owner is None else f"a {type(owner).__name__} called {len(calls)} times"
        raise ModelError(
            f"layer {layer.name!r}: expected an nn.Linear or nn.Conv of that name, called once, got {kind}"
        )
    relu = _relu_behind(calls[0], modules, layer.name)
    source = _source_of(calls[0], modules)
    convolution = owner if new.of_channels else None
    if isinstance(owner, nn.Linear) or (new.of_channels and new.weight.shape[1] == owner.in_channels):
        read = source if isinstance(owner, nn.Linear) else calls[0].args[0]
    else:
        read = source
    prefix = layer.name.replace(".", "_")
    completion, leading = _free(graphs, f"{prefix}_completion"), _free(graphs, f"{prefix}_leading")
    graphs.add_submodule(completion, AppendedRows(new, owner.weight.detach(), convolution))
    graphs.add_submodule(leading, LeadingRows(layer.out_shape[0]))
    with graph.inserting_before(relu):
        rows = graph.call_module(completion, (relu.args[0], read))
    relu.args = (rows, *relu.args[1:])
    with graph.inserting_after(relu):
        first = graph.call_module(leading, (relu,))
    relu.replace_all_uses_with(first, delete_user_cb=lambda user: user is not first)
    graph.lint()
    graphs.recompile()
    return graphs


def _graph_of(module: nn.Module) -> fx.GraphModule:
    """Return a copy of a module as its graph, in evaluation mode while the graph is taken."""
    twin = copy.deepcopy(module)
    modes = {name: part.training for name, part in twin.named_modules()}
    twin.eval()
    try:
        graphs = fx.GraphModule(twin, _Tracer().trace(twin), type(module).__name__)
    except Exception as error:  # whatever the module's own code raises when it meets a stand-in
        kind = type(module).__name__
        raise ModelError(f"{kind}: torch.fx cannot take its graph: {first_line(error)}") from error
    for name, part in graphs.named_modules():
        part.training = modes.get(name, part.training)
    return graphs


def _relu_behind(node: fx.Node, modules: dict[str, nn.Module], name: str) -> fx.Node:
    """Return the ReLU that follows a node, with nothing but batch norm between."""
    while True:
        users = list(node.users)
        relus = [user for user in users if _is_relu(user, modules)]
        if len(relus) == 1:
            return relus[0]
        if len(users) != 1 or not _is_module(users[0], modules, _ELEMENTWISE):
            told = ", ".join(repr(user.name) for user in users) or "nothing"
            raise ModelError(f"layer {name!r}: expected a ReLU behind {node.name!r}, got {told}")
        node = users[0]


def _source_of(node: fx.Node, modules: dict[str, nn.Module]) -> fx.Node:
    """Return the activation that a layer's matrix reads, in front of what is affine or moves entries."""
    source = node.args[0]
    while isinstance(source, fx.Node) and source.op != "placeholder" and isinstance(source.args[0], fx.Node):
        moves = source.op == "call_function" and source.target in _FUNCTIONS
        moves |= source.op == "call_method" and source.target in _METHODS
        if not (moves or _is_module(source, modules, (*_AFFINE, LeadingRows))):
            break
        source = source.args[0]
    if not isinstance(source, fx.Node):
        raise ModelError(f"node {node.name!r}: expected a tensor as its input, got {source!r}")
    return source


def _is_relu(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_function":
        return node.target in _RELUS
    if node.op == "call_method":
        return node.target in {"relu", "relu_"}
    return _is_module(node, modules, (nn.ReLU,))


def _is_module(node: fx.Node, modules: dict[str, nn.Module], kinds: tuple[type[nn.Module], ...]) -> bool:
    return node.op == "call_module" and isinstance(modules.get(str(node.target)), kinds)


def _free(module: nn.Module, name: str) -> str:
    """Return a name that no part of a module has."""
    taken, number, free = {key for key, _ in module.named_children()}, 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
