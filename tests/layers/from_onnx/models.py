"""Small ONNX models for tests, and their evaluation by onnxruntime."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(3)

Constant = np.ndarray | str | None


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Return normal float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@dataclass
class Graph:
    """A graph in the making; ``add`` returns the name of what a node writes."""

    shape: Sequence[int | str]
    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, array: np.ndarray, name: str | None = None) -> str:
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(
        self,
        operator: str,
        *inputs: Constant,
        name: str = "",
        outputs: int = 1,
        domain: str = "",
        **options: Any,
    ) -> Any:
        """Append a node; arrays among the inputs become initializers, ``None`` an omitted input."""
        names = ["" if i is None else i if isinstance(i, str) else self.constant(i) for i in inputs]
        results = [f"t{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, results, name=name, domain=domain, **options))
        return results[0] if outputs == 1 else results

    def through_relus(self, tensor: str) -> str:
        """Split a tensor into positive and negative part and join them again: a network has ReLUs."""
        positive = self.add("Relu", tensor, name="positive")
        negative = self.add("Relu", self.add("Neg", tensor), name="negative")
        return self.add("Sub", positive, negative)

    def model(
        self, *outputs: str, kind: int = TensorProto.FLOAT, inputs: Sequence[Any] = (), infer: bool = True
    ) -> onnx.ModelProto:
        source = helper.make_tensor_value_info("x", kind, self.shape)
        results = [onnx.ValueInfoProto(name=name) for name in outputs]
        for result in results:
            result.type.tensor_type.elem_type = kind
        graph = helper.make_graph(self.nodes, "graph", [source, *inputs], results, self.initializers)
        domains = {node.domain for node in self.nodes} - {""}
        opsets = [
            helper.make_opsetid("", self.opset),
            *(helper.make_opsetid(domain, 1) for domain in domains),
        ]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 21 else 10)
        # Every output must have a shape, be it that of a number.
        model = onnx.shape_inference.infer_shapes(model, data_prop=True) if infer else model
        for result in model.graph.output:
            result.type.tensor_type.shape.dim.extend([])
        return model


def save(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    onnx.save(model, path)
    return path


def evaluate(path: Path, x: np.ndarray) -> np.ndarray:
    """Return the first output as onnxruntime computes it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return session.run([session.get_outputs()[0].name], {name: x})[0]
