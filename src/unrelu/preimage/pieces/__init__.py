"""The preimage of a network's output: a union of polyhedra, one for each sign pattern that it allows."""

from unrelu.preimage.pieces._network_preimage import network_preimage
from unrelu.preimage.pieces._polyhedron import Polyhedron
from unrelu.preimage.pieces._result import NetworkPreimage, Piece

__all__ = ["NetworkPreimage", "Piece", "Polyhedron", "network_preimage"]
