"""Networks from ONNX files, which are read as data."""

from unrelu.layers.from_onnx._walk import network_from_onnx

__all__ = ["network_from_onnx"]
