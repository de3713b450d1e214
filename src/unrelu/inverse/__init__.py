"""Undoing a layer: inputs from outputs, with proof of uniqueness and measured residuals."""

from unrelu.inverse._least_squares import InverseResult, invert

__all__ = ["InverseResult", "invert"]
