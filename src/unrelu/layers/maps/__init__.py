"""Linear maps known by their structure: products, rows and sizes of a matrix that is rarely written out."""

from unrelu.layers.maps._compose import Compose, Sum, Transpose, compose
from unrelu.layers.maps._convolution import Convolution
from unrelu.layers.maps._dense import Dense
from unrelu.layers.maps._elementary import Diagonal, Reindex
from unrelu.layers.maps._exactness import powers_of_two, products_are_exact, sums_are_exact
from unrelu.layers.maps._linear import LinearMap
from unrelu.layers.maps._total import stacked, total

__all__ = [
    "Compose",
    "Convolution",
    "Dense",
    "Diagonal",
    "LinearMap",
    "Reindex",
    "Sum",
    "Transpose",
    "compose",
    "powers_of_two",
    "products_are_exact",
    "stacked",
    "sums_are_exact",
    "total",
]
