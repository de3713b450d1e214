"""The cone ``{d : E d = 0, G d <= 0}`` of given rows: its dimension, with proof from both sides."""

from unrelu.preimage.cones._analyse import analyse_cone
from unrelu.preimage.cones._cone import Cone
from unrelu.preimage.cones._scaled import ScaledRows, scaled_rows
from unrelu.preimage.cones._span import pivots

__all__ = ["Cone", "ScaledRows", "analyse_cone", "pivots", "scaled_rows"]
