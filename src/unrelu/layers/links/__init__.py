"""Links: the parts of a network between tensors through which everything behind sees what is in front."""

from unrelu.layers.links._link import Link, LinkPart
from unrelu.layers.links._links import links

__all__ = ["Link", "LinkPart", "links"]
