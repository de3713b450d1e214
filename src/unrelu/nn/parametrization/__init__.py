"""Injectivity of torch's own layers as a parametrization."""

from unrelu.nn.parametrization._injective import injective
from unrelu.nn.parametrization._paired import Paired, PairedBias, PairedRows
from unrelu.nn.parametrization._paired_channels import PairedChannels
from unrelu.nn.parametrization._pairing import Pairing, pairing

__all__ = [
    # what users call
    "injective",
    # what it registers
    "Paired",
    "PairedBias",
    "PairedChannels",
    "PairedRows",
    # which rows are paired
    "Pairing",
    "pairing",
]
