"""A stored ``torch.export`` graph as a module that evaluates it: known operators on tensors, nothing else."""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from unrelu.errors import ModelError
from unrelu.layers._messages import first_line
from unrelu.layers.from_pt2._operators import ARITHMETIC, ASSERTIONS, OPERATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MAX_ENTRIES = 2**28  # of all computed tensors together: 2 GiB of float64
_NAME = re.compile(r"\w{1,200}(\.\w{1,200}){0,30}", re.ASCII)
_STORED = ("parameter", "buffer", "tensor_constant")
_MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}


class StoredGraph(nn.Module):
    """Evaluates the nodes one after another.

    Names and targets in the file only choose among tensors and among the operators of `_operators`; they
    are never evaluated, imported or made part of generated code.
    """

    def __init__(
        self,
        graph_module: dict[str, Any],
        weight: Callable[[str], torch.Tensor],
        constant: Callable[[str], torch.Tensor],
        dtypes: Mapping[int, torch.dtype],
    ) -> None:
        """Read the signature and take the tensors it names.

        Args:
            graph_module: The JSON of torch's schema for a graph and its signature.
            weight: Finds a parameter or persistent buffer by name.
            constant: Finds a constant or another buffer by name.
            dtypes: What the numbers of dtypes mean.

        Raises:
            ModelError: If there is not exactly one input, or something is not a tensor.
        """
        super().__init__()
        graph, signature = graph_module["graph"], graph_module["signature"]
        self._nodes, self._shapes, self._dtypes = graph["nodes"], graph["tensor_values"], dtypes
        self._stored: dict[str, str] = {}
        inputs = []
        for kind, spec in map(_only, signature["input_specs"]):
            if kind == "user_input":
                inputs.append(_only(spec["arg"]))
            elif kind in _STORED:
                persistent = kind == "parameter" or (kind == "buffer" and spec["persistent"])
                name = spec[f"{kind}_name"]
                self._store(name, (weight if persistent else constant)(name), kind == "parameter")
                self._stored[spec["arg"]["name"]] = name
            else:
                raise ModelError(f"expected inputs that are tensors, got {str(kind)[:100]!r}")
        if len(inputs) != 1 or inputs[0][0] != "as_tensor":
            raise ModelError(f"expected one input, a tensor, got {len(inputs)} inputs")
        self._input = inputs[0][1]["name"]
        self._outputs = [_output(*_only(spec)) for spec in signature["output_specs"]]
        sizes = self._shapes[self._input]["sizes"]
        self._fixed = bool(sizes) and "as_int" in sizes[0]
        self._batch = self._shape(self._input)[0] if sizes else 1
        self._hint = (
            f" for one sample; it was exported for batches of {self._batch}, "
            "export it with one sample or a variable batch axis"
            if self._fixed and self._batch > 1
            else ""
        )

    def _store(self, name: str, tensor: torch.Tensor, is_parameter: bool) -> None:
        """Keep a tensor under its name, in modules nested like the names."""
        if not _NAME.fullmatch(name):
            raise ModelError(f"tensor {name[:100]!r}: expected a name of letters, digits, '_' and '.'")
        *path, leaf = name.split(".")
        owner: nn.Module = self
        for part in path:
            if part not in dict(owner.named_children()):
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        if is_parameter:
            owner.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
        else:
            owner.register_buffer(leaf, tensor)

    def example(self) -> torch.Tensor:
        """Return one normal sample of the input's shape and dtype.

        Raises:
            ModelError: If the input is too large, or not of floating point.
        """
        shape, dtype = self._shape(self._input), self._dtypes.get(self._shapes[self._input]["dtype"])
        if not shape or dtype is None or not dtype.is_floating_point:
            raise ModelError(f"input {self._input!r}: expected floating-point numbers with a batch axis")
        _check_size(math.prod(shape), f"input {self._input!r}")
        return torch.randn(1, *shape[1:], generator=torch.Generator().manual_seed(0)).to(dtype)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs for one sample, ``x`` of shape ``(1, ...)``.

        Raises:
            ModelError: If a node has an unknown operator, or does not compute what the file says.
        """
        env: dict[str, Any] = {self._input: x}
        env |= {name: operator.attrgetter(path)(self) for name, path in self._stored.items()}
        self._computed = 0
        for node in self._nodes:
            where = f"node {str(node['name'])[:100]!r} ({str(node['target'])[:200]})"
            try:
                self._run(node, where, env)
            except ModelError:
                raise
            except Exception as error:
                kind = type(error).__name__
                raise ModelError(f"{where}: {kind}: {first_line(error)}{self._hint}") from error
        return tuple(env[name] for name in self._outputs)

    def _run(self, node: dict[str, Any], where: str, env: dict[str, Any]) -> None:
        target = str(node["target"])
        if target in ASSERTIONS:
            return
        op = ARITHMETIC.get(target) or _operator(target, where)
        args = {entry["name"]: self._argument(*_only(entry["arg"]), env) for entry in node["inputs"]}
        if args.get("training") is True or args.get("train") is True:
            raise ModelError(f"{where} is in training mode; export the module after .eval()")
        result = op(*map(_number, args.values())) if target in ARITHMETIC else op(**args)
        for name, value in _named(node["outputs"], result):
            if isinstance(value, torch.Tensor):
                self._computed += value.numel()
                _check_size(self._computed, where)
                self._check_shape(name, value, where)
            env[name] = value

    def _argument(self, kind: str, value: Any, env: dict[str, Any]) -> Any:
        """Return what one JSON argument stands for."""
        match kind:
            case "as_tensor" | "as_sym_int" | "as_sym_float" | "as_optional_tensor":
                return self._reference(value, env)
            case "as_tensors" | "as_optional_tensors" | "as_sym_ints":
                return [self._reference(entry, env) for entry in value]
            case "as_int" | "as_bool" | "as_string" | "as_ints" | "as_bools":
                return value
            case "as_float":
                return float(value)  # JSON has "Infinity" as a string
            case "as_floats":
                return [float(number) for number in value]
            case "as_none":
                return None
            case "as_device":
                return torch.device("cpu")  # wherever it was made
            case "as_layout":
                return torch.strided
            case "as_scalar_type":
                return self._dtypes[value]
            case "as_memory_format":
                return _MEMORY_FORMATS[value]
        raise ModelError(f"an argument of kind {kind[:100]!r} is not supported")

    def _reference(self, value: dict[str, Any], env: dict[str, Any]) -> Any:
        """Return a computed value by name, or the number in its place."""
        if "name" in value:
            return env[value["name"]]
        kind, content = _only(value)
        match kind:
            case "as_name" | "as_tensor":
                return env[content if kind == "as_name" else content["name"]]
            case "as_int" | "as_float":
                return content
            case "as_none":
                return None
        raise ModelError(f"an argument of kind {kind[:100]!r} is not supported")

    def _shape(self, name: str) -> tuple[int, ...]:
        """Return the shape that the file gives a tensor, with the sizes of its example for variable axes."""
        sizes = (_only(size) for size in self._shapes[name]["sizes"])
        return tuple(int(size if kind == "as_int" else size["hint"]["as_int"]) for kind, size in sizes)

    def _check_shape(self, name: str, tensor: torch.Tensor, where: str) -> None:
        """Compare a result at batch size 1 with the shape in the file, where the batch may be larger."""
        got, stored = tuple(tensor.shape), self._shape(name)
        if self._fixed:
            fits = got == stored or (1, *stored[1:]) == got
        else:
            fits = len(got) == len(stored) and all(
                b in {a, a * self._batch} for a, b in zip(got, stored, strict=True)
            )
        if not fits:
            raise ModelError(f"{where}: expected a result of shape {stored}, got {got}{self._hint}")


def _output(kind: str, spec: dict[str, Any]) -> str:
    """Return the name of an output tensor."""
    if kind != "user_output":
        raise ModelError(f"it changes its own state ({str(kind)[:100]}); export the module after .eval()")
    content, value = _only(spec["arg"])
    if content != "as_tensor":
        raise ModelError(f"expected outputs that are tensors, got {str(content)[:100]!r}")
    return value["name"]


def _named(outputs: list[Any], result: Any) -> Iterator[tuple[str, Any]]:
    """Pair the parts of a result with their names."""
    entries = [_only(output) for output in outputs]
    if len(entries) == 1 and entries[0][0] == "as_tensors":
        entries = [("as_tensor", value) for value in entries[0][1]]
    elif len(entries) == 1:
        result = [result]
    for (kind, value), part in zip(entries, result, strict=True):
        if kind != "as_none":
            yield value["name"] if kind == "as_tensor" else value["as_name"], part


def _operator(target: str, where: str) -> Callable[..., Any]:
    """Return an operator if it is one of those known to compute with tensors and nothing else."""
    parts = re.fullmatch(r"torch\.ops\.aten\.(\w+)\.(\w+)", target, re.ASCII)
    if parts is None or parts[1].removesuffix("_") not in OPERATORS:
        raise ModelError(f"{where}: this operator is not known; trace the module itself instead")
    packet = getattr(torch.ops.aten, parts[1], None)
    op = getattr(packet, parts[2], None)
    if not isinstance(op, torch._ops.OpOverload):
        raise ModelError(f"{where}: there is no such operator")
    return op


def _number(value: Any) -> int | float:
    if not isinstance(value, int | float) or abs(value) > 2**53:
        raise ModelError("expected numbers of moderate size in the arithmetic of shapes")
    return value


def _only(entry: dict[str, Any]) -> tuple[str, Any]:
    """Return the kind and content of a JSON union, which has one key."""
    ((kind, content),) = entry.items()
    return kind, content


def _check_size(size: int, what: str) -> None:
    if size > _MAX_ENTRIES:
        raise ModelError(f"{what}: expected at most {_MAX_ENTRIES} numbers to compute, got {size}")
