"""Is a layer injective on a whole domain? Verdicts with what proves them."""

from unrelu.injectivity._decide import decide
from unrelu.injectivity._verdict import Decision, Verdict

__all__ = ["Decision", "Verdict", "decide"]
