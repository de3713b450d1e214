"""Injectivity of whole networks where layers alone do not settle it."""

from unrelu.injectivity.networks._low_rank import low_rank_point
from unrelu.injectivity.networks._narrow import narrow_place
from unrelu.injectivity.networks._regions import RegionsAnswer, decide_by_regions
from unrelu.injectivity.networks._witness import of_first_layer

__all__ = ["RegionsAnswer", "decide_by_regions", "low_rank_point", "narrow_place", "of_first_layer"]
