"""An ONNX file with a residual block, and its proof."""

from pathlib import Path

import numpy as np

from tests.certificates.links.blocks import space
from tests.layers.from_onnx.models import Graph, numbers, save
from unrelu import trace
from unrelu.certificates import ContractionProof, LinksCertificate, StructureCertificate


def proved(path: Path) -> LinksCertificate:
    """The proof of `contractive`."""
    layer, block = trace(path).link_records()
    pairs = np.column_stack([np.arange(4), np.arange(4, 8)])
    first = StructureCertificate(layer.last.map, space(4), pairs, np.zeros(0, dtype=np.int64))
    return LinksCertificate(space(4), (first, ContractionProof(block)))


def contractive(folder: Path) -> Path:
    """A layer of a matrix of full rank and its negative, and a residual block."""
    graph = Graph((1, 4))
    t = graph.add("MatMul", "x", numbers(4, 4))
    t = graph.add("Relu", graph.add("Concat", t, graph.add("Neg", t), axis=1), name="head")
    inner = graph.add("Relu", graph.add("MatMul", t, numbers(8, 3)))
    outer = graph.add("MatMul", inner, numbers(3, 8, seed=1))
    graph.add("Add", t, graph.add("Mul", outer, np.float32(1 / 64)), name="block")
    return save(graph.model("t8_0"), folder)
