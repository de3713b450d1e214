"""What ReLU layers forget, with proof: audit, decide, invert, enforce.

Names are imported when they are first used, so that ``import unrelu`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unrelu._version import __version__

if TYPE_CHECKING:
    from unrelu import bias, injectivity, inverse, nn, stability
    from unrelu.audit import AuditResult, audit
    from unrelu.bias import BiasEstimate, estimate_bias
    from unrelu.certificates import Verification, verify
    from unrelu.datasets import load
    from unrelu.domains import Ball, Box, Domain, Orthant, Polytope, Space, Sphere
    from unrelu.frames import analyse_points
    from unrelu.injectivity import Decision, NetworkDecision, Verdict, decide
    from unrelu.inverse import InverseResult, NetworkInverse, invert
    from unrelu.layers import Network, ReLULayer, trace
    from unrelu.preimage import (
        Collision,
        NetworkPreimage,
        Preimage,
        Preimages,
        collide,
        network_preimage,
        preimage,
        preimages,
    )
    from unrelu.stability import LipschitzResult, SpectrumResult, lipschitz, spectrum

_HOMES = {
    "AuditResult": "audit",
    "Ball": "domains",
    "BiasEstimate": "bias",
    "Box": "domains",
    "Collision": "preimage",
    "Decision": "injectivity",
    "Domain": "domains",
    "InverseResult": "inverse",
    "LipschitzResult": "stability",
    "Network": "layers",
    "NetworkDecision": "injectivity",
    "NetworkInverse": "inverse",
    "NetworkPreimage": "preimage",
    "Orthant": "domains",
    "Polytope": "domains",
    "Preimage": "preimage",
    "Preimages": "preimage",
    "ReLULayer": "layers",
    "Space": "domains",
    "Sphere": "domains",
    "SpectrumResult": "stability",
    "Verdict": "injectivity",
    "Verification": "certificates",
    "analyse_points": "frames",
    "audit": "audit",
    "bias": "bias",
    "collide": "preimage",
    "decide": "injectivity",
    "estimate_bias": "bias",
    "injectivity": "injectivity",
    "inverse": "inverse",
    "invert": "inverse",
    "lipschitz": "stability",
    "load": "datasets",
    "network_preimage": "preimage",
    "nn": "nn",
    "preimage": "preimage",
    "preimages": "preimage",
    "spectrum": "stability",
    "stability": "stability",
    "trace": "layers",
    "verify": "certificates",
}

__all__ = [
    # layers and domains
    "Ball",
    "Box",
    "Domain",
    "Network",
    "Orthant",
    "Polytope",
    "ReLULayer",
    "Space",
    "Sphere",
    "load",
    "trace",
    # questions
    "analyse_points",
    "audit",
    "bias",
    "collide",
    "decide",
    "estimate_bias",
    "injectivity",
    "inverse",
    "invert",
    "lipschitz",
    "network_preimage",
    "preimage",
    "preimages",
    "spectrum",
    "stability",
    "verify",
    # remedies
    "nn",
    # answers
    "AuditResult",
    "BiasEstimate",
    "Collision",
    "Decision",
    "InverseResult",
    "LipschitzResult",
    "NetworkDecision",
    "NetworkInverse",
    "NetworkPreimage",
    "Preimage",
    "Preimages",
    "SpectrumResult",
    "Verdict",
    "Verification",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unrelu' has no attribute {name!r}")
    home = import_module(f"unrelu.{_HOMES[name]}")
    # A package named like its question is callable itself.
    value = home if _HOMES[name] == name else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
