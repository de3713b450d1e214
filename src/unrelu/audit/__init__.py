"""Measure on data what a network's layers forget, and show it: terminal, JSON, CSV, data frame, HTML."""

from unrelu._callable import make_callable
from unrelu.audit._result import AuditResult, Example, Histogram, LayerAudit, Quantiles, Share, SkippedNode
from unrelu.audit._run import audit
from unrelu.audit._table import summary

__all__ = [
    "AuditResult",
    "Example",
    "Histogram",
    "LayerAudit",
    "Quantiles",
    "Share",
    "SkippedNode",
    "audit",
    "summary",
]

make_callable(__name__, audit)
