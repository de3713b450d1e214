"""Gaussian layers: thresholds of m / n for injectivity, exact counts of cells, probabilities, the plane."""

from unrelu.injectivity.random_matrices._cells import (
    cells,
    expected_cells,
    expected_euler_characteristic,
    wendel_probability,
)
from unrelu.injectivity.random_matrices._monte_carlo import InjectivityEstimate, injectivity_probability
from unrelu.injectivity.random_matrices._plane import Wedges, wedges
from unrelu.injectivity.random_matrices._probability import exact_probability, probability_bounds
from unrelu.injectivity.random_matrices._thresholds import Status, Threshold, thresholds

__all__ = [
    # as m, n -> infinity
    "Status",
    "Threshold",
    "thresholds",
    # for given m and n
    "cells",
    "exact_probability",
    "expected_cells",
    "expected_euler_characteristic",
    "probability_bounds",
    "wendel_probability",
    # by simulation
    "InjectivityEstimate",
    "injectivity_probability",
    # n = 2
    "Wedges",
    "wedges",
]
