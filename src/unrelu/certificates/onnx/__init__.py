"""ONNX files read with numpy alone, so that a proof can be checked against the model itself."""

from unrelu.certificates.onnx._links import read_onnx_links
from unrelu.certificates.onnx._read import read_onnx

__all__ = ["read_onnx", "read_onnx_links"]
