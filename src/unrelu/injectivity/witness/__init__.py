"""Refuting injectivity of large layers: an input at which too few rows are active, found by annealing."""

from unrelu.injectivity.witness._check import inside
from unrelu.injectivity.witness._find import find_witness
from unrelu.injectivity.witness._inner_point import inner_point
from unrelu.injectivity.witness._result import WitnessSearch

__all__ = ["WitnessSearch", "find_witness", "inner_point", "inside"]
