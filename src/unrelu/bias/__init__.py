"""Biases under which a layer stays injective, and what samples prove of them."""

from unrelu.bias._monte_carlo import estimate_bias
from unrelu.bias._polytope import PolytopeBias, polytope
from unrelu.bias._result import BiasEstimate, SpanTest
from unrelu.bias._scenario import (
    a_posteriori_epsilon,
    a_priori_epsilon,
    fixed_bias_interval,
    patience_epsilon,
    samples_needed,
)

__all__ = [
    "BiasEstimate",
    "PolytopeBias",
    "SpanTest",
    "a_posteriori_epsilon",
    "a_priori_epsilon",
    "estimate_bias",
    "fixed_bias_interval",
    "patience_epsilon",
    "polytope",
    "samples_needed",
]
