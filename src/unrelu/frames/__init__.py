"""Facts about sets of rows: which are active, what they span, and what follows at a point."""

from unrelu.frames._directions import Directions
from unrelu.frames._frame import DenseFrame, Frame, SparseFrame, frame_of
from unrelu.frames._points import Evidence, PointAnalysis, analyse_points
from unrelu.frames._signs import Activity, activity

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
