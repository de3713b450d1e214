"""The cone ``{d : E d = 0, G d <= 0}`` of given rows: its dimension, with proof from both sides."""

from unrelu.preimage.cones._analyse import analyse_cone
from unrelu.preimage.cones._cone import Cone
from unrelu.preimage.cones._proofs import independent_direction
from unrelu.preimage.cones._recession import Recession, recession
from unrelu.preimage.cones._scaled import ScaledRows, scaled_rows
from unrelu.preimage.cones._span import pivots

__all__ = [
    "Cone",
    "Recession",
    "ScaledRows",
    "analyse_cone",
    "independent_direction",
    "pivots",
    "recession",
    "scaled_rows",
]
