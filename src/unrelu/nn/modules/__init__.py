"""Modules whose composition with ReLU gives their input back."""

from unrelu.nn.modules._adapters import FrEIAAdapter, NflowsAdapter
from unrelu.nn.modules._conv import InjectiveConv1d, InjectiveConv2d, InjectiveConv3d
from unrelu.nn.modules._inversion import Inversion
from unrelu.nn.modules._jacobian import jacobians
from unrelu.nn.modules._levenberg_marquardt import LeastSquares, levenberg_marquardt
from unrelu.nn.modules._linear import InjectiveLinear
from unrelu.nn.modules._normalisation import AugmentedLayerNorm, InvertibleLayerNorm
from unrelu.nn.modules._pairs import Basis
from unrelu.nn.modules._pooling import (
    InjectiveAvgPool1d,
    InjectiveAvgPool2d,
    InjectiveAvgPool3d,
    InjectiveMaxPool1d,
    InjectiveMaxPool2d,
    InjectiveMaxPool3d,
)
from unrelu.nn.modules._projection import GenericProjection, SmallestRatio, smallest_ratio
from unrelu.nn.modules._residual import ContractiveResidual
from unrelu.nn.modules._sequential import InjectiveSequential
from unrelu.nn.modules._skip import ConcatenatingSkip, PairedSkip
from unrelu.nn.modules._volume import VolumeEstimate, estimate_log_volume, log_volume

__all__ = [
    "AugmentedLayerNorm",
    "Basis",
    "ConcatenatingSkip",
    "ContractiveResidual",
    "FrEIAAdapter",
    "GenericProjection",
    "InjectiveAvgPool1d",
    "InjectiveAvgPool2d",
    "InjectiveAvgPool3d",
    "InjectiveConv1d",
    "InjectiveConv2d",
    "InjectiveConv3d",
    "InjectiveLinear",
    "InjectiveMaxPool1d",
    "InjectiveMaxPool2d",
    "InjectiveMaxPool3d",
    "InjectiveSequential",
    "Inversion",
    "InvertibleLayerNorm",
    "LeastSquares",
    "NflowsAdapter",
    "PairedSkip",
    "SmallestRatio",
    "VolumeEstimate",
    "estimate_log_volume",
    "jacobians",
    "levenberg_marquardt",
    "log_volume",
    "smallest_ratio",
]
