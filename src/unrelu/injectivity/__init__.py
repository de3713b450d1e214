"""Is a layer injective on a whole domain? Verdicts with what proves them."""

from unrelu.injectivity import random_matrices
from unrelu.injectivity._decide import decide
from unrelu.injectivity._verdict import Decision, NetworkDecision, Verdict

__all__ = ["Decision", "NetworkDecision", "Verdict", "decide", "random_matrices"]
