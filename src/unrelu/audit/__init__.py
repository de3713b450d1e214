"""Measure on data what a network's layers forget, and show it: terminal, JSON, CSV, data frame, HTML."""

from unrelu._callable import make_callable
from unrelu.audit._figures import (
    CollisionExample,
    Example,
    Histogram,
    LipschitzFigures,
    PreimageKinds,
    Quantiles,
    Share,
    SingularValues,
    SpectrumFigures,
)
from unrelu.audit._image_rows import collisions
from unrelu.audit._inputs import fit
from unrelu.audit._result import AuditResult, LayerAudit, SkippedNode
from unrelu.audit._run import audit
from unrelu.audit._table import summary

__all__ = [
    "AuditResult",
    "CollisionExample",
    "Example",
    "Histogram",
    "LayerAudit",
    "LipschitzFigures",
    "PreimageKinds",
    "Quantiles",
    "Share",
    "SingularValues",
    "SkippedNode",
    "SpectrumFigures",
    "audit",
    "collisions",
    "fit",
    "summary",
]

make_callable(__name__, audit)
