"""Injective layers for torch networks."""

from unrelu.nn._injective_linear import InjectiveLinear

__all__ = ["InjectiveLinear"]
