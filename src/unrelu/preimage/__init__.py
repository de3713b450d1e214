"""All inputs that a layer does not tell apart: how many, how far, with proof."""

from unrelu._callable import make_callable
from unrelu.preimage._omnidirectional import Omnidirectional, omnidirectional
from unrelu.preimage._preimage import preimage
from unrelu.preimage._preimages import preimages
from unrelu.preimage._result import Certificate, ConeProof, Evidence, Kind, OutputError, Preimage, Preimages

__all__ = [
    "Certificate",
    "ConeProof",
    "Evidence",
    "Kind",
    "Omnidirectional",
    "OutputError",
    "Preimage",
    "Preimages",
    "omnidirectional",
    "preimage",
    "preimages",
]

make_callable(__name__, preimage)
