"""The question of injectivity in the language of neural network verifiers."""

from unrelu.injectivity.vnnlib._query import query

__all__ = ["query"]
