"""Layers as ONNX models of their own."""

from unrelu.layers.to_onnx._layer_model import layer_model, model_shapes

__all__ = ["layer_model", "model_shapes"]
