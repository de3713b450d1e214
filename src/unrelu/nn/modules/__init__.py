"""Modules whose composition with ReLU gives their input back."""

from unrelu.nn.modules._linear import InjectiveLinear

__all__ = ["InjectiveLinear"]
