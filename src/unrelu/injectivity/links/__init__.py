"""Injectivity of networks link by link: each by the cheapest kind of proof that fits."""

from unrelu.injectivity.links._decide import LinksAnswer, decide_links

__all__ = ["LinksAnswer", "decide_links"]
