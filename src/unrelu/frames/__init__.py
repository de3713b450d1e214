"""Facts about sets of rows: which are active, what they span, and what follows at a point."""

from unrelu.frames._dense import DenseFrame
from unrelu.frames._directions import Directions
from unrelu.frames._frame import Frame
from unrelu.frames._of_layer import frame_of
from unrelu.frames._points import Evidence, PointAnalysis, analyse_points
from unrelu.frames._signs import Activity, activity
from unrelu.frames._sparse import SparseFrame

__all__ = [
    "Activity",
    "DenseFrame",
    "Directions",
    "Evidence",
    "Frame",
    "PointAnalysis",
    "SparseFrame",
    "activity",
    "analyse_points",
    "frame_of",
]
