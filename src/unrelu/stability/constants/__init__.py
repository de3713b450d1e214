"""Lipschitz constants of a layer and of its inverse."""

from unrelu.stability.constants._lipschitz import lipschitz
from unrelu.stability.constants._result import Interval, LipschitzResult

__all__ = ["Interval", "LipschitzResult", "lipschitz"]
