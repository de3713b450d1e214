"""Networks from ``.pt2`` archives of ``torch.export.save``, which are read as data."""

from unrelu.layers.from_pt2._archive import network_from_archive

__all__ = ["network_from_archive"]
