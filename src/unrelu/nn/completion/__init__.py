"""Rows appended to trained layers until they are injective; predictions stay as they are."""

from unrelu.nn.completion._complete import complete
from unrelu.nn.completion._result import CompletedLayer, Completion

__all__ = ["CompletedLayer", "Completion", "complete"]
