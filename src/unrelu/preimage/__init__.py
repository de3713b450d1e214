"""All inputs that a layer does not tell apart: how many, how far, with proof."""

from unrelu._callable import make_callable
from unrelu.preimage._omnidirectional import Omnidirectional, omnidirectional
from unrelu.preimage._preimage import preimage
from unrelu.preimage._preimages import preimages
from unrelu.preimage._result import Evidence, Kind, OutputError, Preimage, Preimages, Proof
from unrelu.preimage.collisions import Collision, collide
from unrelu.preimage.pieces import NetworkPreimage, Piece, network_preimage

__all__ = [
    "Collision",
    "Evidence",
    "Kind",
    "NetworkPreimage",
    "Omnidirectional",
    "OutputError",
    "Piece",
    "Preimage",
    "Preimages",
    "Proof",
    "collide",
    "network_preimage",
    "omnidirectional",
    "preimage",
    "preimages",
]

make_callable(__name__, preimage)
