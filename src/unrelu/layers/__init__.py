"""What is analysed: affine maps, ReLU layers and networks, and the importers that make them."""

from unrelu.layers._compose import Compose, Sum, Transpose, compose
from unrelu.layers._convolution import Convolution
from unrelu.layers._dense import Dense
from unrelu.layers._elementary import Diagonal, Reindex
from unrelu.layers._graph import Skipped
from unrelu.layers._linear import LinearMap
from unrelu.layers._network import Network
from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers._trace import trace

__all__ = [
    "Compose",
    "Convolution",
    "Dense",
    "Diagonal",
    "LinearMap",
    "Network",
    "ReLULayer",
    "Reindex",
    "Skipped",
    "Sum",
    "Transpose",
    "compose",
    "trace",
]
