"""Another input with the same output: nearest to a target, farthest along a direction, or far away."""

from unrelu.preimage.collisions._collide import collide
from unrelu.preimage.collisions._result import Collision, relative_difference

__all__ = ["Collision", "collide", "relative_difference"]
