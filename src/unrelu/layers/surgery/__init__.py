"""Rows appended to layers of models: of traced networks, torch modules and ONNX files."""

from unrelu.layers.surgery._model import Editable, editable
from unrelu.layers.surgery._network import append_to_network
from unrelu.layers.surgery._new_rows import NewRows, appended, convolution_of
from unrelu.layers.surgery._onnx import append_to_onnx
from unrelu.layers.surgery._torch import AppendedRows, LeadingRows, append_to_module

__all__ = [
    # models
    "Editable",
    "append_to_module",
    "append_to_network",
    "append_to_onnx",
    "editable",
    # rows
    "AppendedRows",
    "LeadingRows",
    "NewRows",
    "appended",
    "convolution_of",
]
