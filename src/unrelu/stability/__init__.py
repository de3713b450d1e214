"""How stable the way back is: spectra of linearisations, Lipschitz constants, rows removed."""

from unrelu.stability._format import picture_format
from unrelu.stability._linearise import Linearised, linearise
from unrelu.stability._plan import Method
from unrelu.stability._result import LayerSpectrum, SpectrumResult, Values
from unrelu.stability._spectrum import spectrum, spectrum_method
from unrelu.stability.constants import Interval, LipschitzResult, lipschitz
from unrelu.stability.removal import (
    CorrelationBound,
    RemovalBounds,
    correlation_bound,
    correlation_counts,
    removal_bounds,
)

__all__ = [
    # linearisations
    "LayerSpectrum",
    "Linearised",
    "Method",
    "SpectrumResult",
    "Values",
    "linearise",
    "picture_format",
    "spectrum",
    "spectrum_method",
    # one layer
    "Interval",
    "LipschitzResult",
    "lipschitz",
    # removed rows
    "CorrelationBound",
    "RemovalBounds",
    "correlation_bound",
    "correlation_counts",
    "removal_bounds",
]
