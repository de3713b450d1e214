"""What is analysed: affine maps, ReLU layers and networks, and the importers that make them."""

from unrelu.layers._chain import Chain
from unrelu.layers._graph import Skipped
from unrelu.layers._linearise import OUTPUT, Linearisation, Stage, derivative
from unrelu.layers._network import Network
from unrelu.layers._normalisation import Normalisation, Statistics
from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers._segments import Segment
from unrelu.layers._trace import trace
from unrelu.layers.links import Link, LinkPart
from unrelu.layers.maps import (
    Compose,
    Convolution,
    Dense,
    Diagonal,
    LinearMap,
    Reindex,
    Sum,
    Transpose,
    compose,
)

__all__ = [
    "OUTPUT",
    "Chain",
    "Compose",
    "Convolution",
    "Dense",
    "Diagonal",
    "LinearMap",
    "Linearisation",
    "Link",
    "LinkPart",
    "Network",
    "Normalisation",
    "ReLULayer",
    "Reindex",
    "Segment",
    "Skipped",
    "Stage",
    "Statistics",
    "Sum",
    "Transpose",
    "compose",
    "derivative",
    "trace",
]
