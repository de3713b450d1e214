"""Rows that a ReLU removes, and the singular values of the rest."""

from unrelu.stability.removal._lemma8 import RemovalBounds, removal_bounds
from unrelu.stability.removal._lemma9 import CorrelationBound, correlation_bound, correlation_counts

__all__ = ["CorrelationBound", "RemovalBounds", "correlation_bound", "correlation_counts", "removal_bounds"]
