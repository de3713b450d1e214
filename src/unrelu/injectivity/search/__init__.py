"""The search tree that decides whether a layer is injective, with proof."""

from unrelu.injectivity.search._result import SearchResult
from unrelu.injectivity.search._search import search

__all__ = ["SearchResult", "search"]
