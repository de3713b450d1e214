"""Injectivity in rational arithmetic, for small layers that floating point cannot tell."""

from unrelu.injectivity.rational._gordan import gordan
from unrelu.injectivity.rational._tree import Answer, decide_exactly, point_off_flat

__all__ = ["Answer", "decide_exactly", "gordan", "point_off_flat"]
