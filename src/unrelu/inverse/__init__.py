"""Undoing layers and networks: inputs from outputs, with proof of uniqueness and bounds of the error."""

from unrelu.inverse._frame_algorithm import frame_algorithm
from unrelu.inverse._invert import choose_method, invert
from unrelu.inverse._noise import Gaussian, Noise, Quantised, Rounded
from unrelu.inverse._result import InverseResult, LayerInverse, NetworkInverse
from unrelu.inverse._solutions import Method

__all__ = [
    # questions
    "choose_method",
    "frame_algorithm",
    "invert",
    # noise
    "Gaussian",
    "Noise",
    "Quantised",
    "Rounded",
    # answers
    "InverseResult",
    "LayerInverse",
    "Method",
    "NetworkInverse",
]
