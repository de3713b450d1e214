"""Networks from torch modules, read off the graph that `torch.export` captures."""

from unrelu.layers.from_torch._capture import read_captured
from unrelu.layers.from_torch._module import network_from_module

__all__ = ["network_from_module", "read_captured"]
