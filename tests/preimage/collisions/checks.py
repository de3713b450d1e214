"""What every collision must be, checked without the code that found it."""

import math
from fractions import Fraction

import numpy as np

from tests.reference.preimage import output
from unrelu.certificates import CollisionCertificate, verify


def exact_difference(weight, bias, a, b) -> float:
    """Largest difference of two outputs in rational arithmetic."""
    pairs = zip(output(weight, bias, a), output(weight, bias, b), strict=True)
    return float(max((abs(p - q) for p, q in pairs), default=Fraction(0)))


def check_collision(layer, x, found, domain=None, *, proved=True) -> None:
    """The other input is another one, in the domain, with the same output; the certificate holds."""
    other = np.asarray(found.x).reshape(-1)
    x = np.asarray(x).reshape(-1)
    assert np.array_equal(np.asarray(found.original).reshape(-1), x)
    assert found.distance == float(np.linalg.norm(other - x)) > 0
    if domain is not None:
        assert domain.contains(other)
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    size = (np.abs(weight) @ (np.abs(x) + np.abs(other)) + np.abs(bias)).max(initial=0)
    assert exact_difference(weight, bias, x, other) <= 1e-12 * size
    certificate = found.certificate
    assert isinstance(certificate, CollisionCertificate)
    assert verify(certificate, layer).valid
    if proved:
        assert math.isfinite(certificate.radius)
        assert certificate.radius <= 1e-10 * (np.abs(x).max() + np.abs(other).max())
