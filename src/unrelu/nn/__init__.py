"""Networks that keep what they are given: injective layers, penalties for training, and monitors of it."""

from unrelu.nn._bias_regularizer import BiasRegularizer
from unrelu.nn._invertibility import Invertibility, LayerInvertibility, measure_invertibility
from unrelu.nn._margin_penalty import MarginPenalty
from unrelu.nn._monitor import InvertibilityMonitor
from unrelu.nn.completion import CompletedLayer, Completion, complete
from unrelu.nn.functional import bias_penalty, margin_penalty, project_bias_
from unrelu.nn.modules import (
    AugmentedLayerNorm,
    ConcatenatingSkip,
    ContractiveResidual,
    FrEIAAdapter,
    GenericProjection,
    InjectiveAvgPool1d,
    InjectiveAvgPool2d,
    InjectiveAvgPool3d,
    InjectiveConv1d,
    InjectiveConv2d,
    InjectiveConv3d,
    InjectiveLinear,
    InjectiveMaxPool1d,
    InjectiveMaxPool2d,
    InjectiveMaxPool3d,
    InjectiveSequential,
    Inversion,
    InvertibleLayerNorm,
    NflowsAdapter,
    PairedSkip,
    SmallestRatio,
    VolumeEstimate,
    estimate_log_volume,
    log_volume,
    smallest_ratio,
)
from unrelu.nn.parametrization import injective

__all__ = [
    # layers
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
    "injective",
    # networks of them, both ways
    "AugmentedLayerNorm",
    "ConcatenatingSkip",
    "ContractiveResidual",
    "FrEIAAdapter",
    "GenericProjection",
    "InjectiveSequential",
    "InvertibleLayerNorm",
    "Inversion",
    "NflowsAdapter",
    "PairedSkip",
    "SmallestRatio",
    "VolumeEstimate",
    "estimate_log_volume",
    "log_volume",
    "smallest_ratio",
    # completion of trained models
    "CompletedLayer",
    "Completion",
    "complete",
    # penalties and projection
    "BiasRegularizer",
    "MarginPenalty",
    "bias_penalty",
    "margin_penalty",
    "project_bias_",
    # what training does to invertibility
    "Invertibility",
    "InvertibilityMonitor",
    "LayerInvertibility",
    "measure_invertibility",
]
