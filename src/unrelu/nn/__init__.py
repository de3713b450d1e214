"""Networks that keep what they are given: injective layers, penalties for training, and monitors of it."""

from unrelu.nn._bias_regularizer import BiasRegularizer
from unrelu.nn.modules import InjectiveLinear
from unrelu.nn._invertibility import Invertibility, LayerInvertibility, measure_invertibility
from unrelu.nn._margin_penalty import MarginPenalty
from unrelu.nn._monitor import InvertibilityMonitor
from unrelu.nn.functional import bias_penalty, margin_penalty, project_bias_

__all__ = [
    # layers
    "InjectiveLinear",
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
