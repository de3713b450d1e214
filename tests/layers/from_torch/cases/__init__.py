"""Modules of every kind that `trace` reads, by topic."""

from tests.layers.from_torch.cases import activations, chains, images, joins, movement, pooling, products
from tests.layers.from_torch.cases.case import IMAGE, Calls, Case

__all__ = ["CASES", "IMAGE", "Calls", "Case"]

_TOPICS = (chains, products, images, pooling, joins, movement, activations)

CASES: dict[str, Case] = {name: case for topic in _TOPICS for name, case in topic.CASES.items()}
assert len(CASES) == sum(len(topic.CASES) for topic in _TOPICS), "two cases of one name"
