"""All pairs of linear regions, against brute force over all pairs of sign patterns."""

import numpy as np
import pytest

from tests.preimage.pieces.nets import SPOILED, network, random_layers
from tests.reference import networks as reference
from tests.reference.pieces import forward
from unrelu import Ball, Box, Orthant, Polytope, Space
from unrelu.certificates import LayerRecord, NetworkRegionsCertificate, from_json, verify
from unrelu.injectivity._weak_point import sample_points, weak_point
from unrelu.injectivity.networks import decide_by_regions, low_rank_point

KINDS = [*SPOILED, "pairs", "shifted"]


def small_network(rng, kind: str):
    """Two layers and maybe an affine map, on the line or in the plane; often injective."""
    n = int(rng.integers(1, 3))
    final_relu = bool(rng.integers(2))
    widths = [n, int(rng.integers(n, 4)), int(rng.integers(n, 5))]
    layers = random_layers(rng, kind if kind in SPOILED else "integers", widths)
    if kind == "pairs":
        # Opposite rows make the first layer injective.
        base = rng.integers(-2, 3, (n, n)).astype(float)
        layers[0] = np.vstack([base, -base]), np.zeros(2 * n)
        layers[1] = rng.integers(-2, 3, (3, 2 * n)).astype(float), rng.integers(-1, 2, 3).astype(float)
    if kind == "shifted":
        layers = [(weight, bias + 2.0) for weight, bias in layers]
    return layers, final_relu


def domains(n: int):
    corner = Polytope(np.vstack([-np.eye(n), np.ones((1, n))]), np.ones(n + 1))
    return Space(), Orthant(), Box(-1, 1), Box(0.25, np.inf), corner


def decided(layers, final_relu: bool, domain, seconds: float = 20.0):
    records = [LayerRecord.dense(weight, bias) for weight, bias in layers]
    last = None if final_relu else records.pop()
    return decide_by_regions(records, last, domain, seconds)


def compare(rng, kind: str) -> bool | None:
    """Decide a network, and check verdict and proof; return whether it is injective."""
    layers, final_relu = small_network(rng, kind)
    n = layers[0][0].shape[1]
    domain = domains(n)[rng.integers(5)]
    answer = decided(layers, final_relu, domain)
    if answer.proof is None:
        return None
    found = verify(from_json(answer.proof.to_json()))
    assert found.valid and found.grade == "exact", (layers, domain, found.reason)
    injective = isinstance(answer.proof, NetworkRegionsCertificate)
    if not injective:
        x, other = answer.proof.x, answer.proof.other
        assert (x != other).any()
        assert forward(layers, x, final_relu)[-1] == forward(layers, other, final_relu)[-1]
    assert injective != reference.collide(layers, final_relu, *domain.inequalities(n)), (layers, domain)
    return injective


@pytest.mark.parametrize("kind", KINDS)
def test_never_wrong(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    verdicts = [compare(rng, kind) for _ in range(12)]
    assert verdicts.count(None) <= (12 if kind == "scaled" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_never_wrong_on_many(kind):
    rng = np.random.default_rng([1, KINDS.index(kind)])
    verdicts = [compare(rng, kind) for _ in range(150)]
    if kind in {"integers", "gaussian", "pairs", "shifted"}:
        assert verdicts.count(True) > 3 and verdicts.count(False) > 20


def test_regions_apart_may_collide():
    """|x| and |x| + x / 2 are injective on each of two regions, |x| + 2x on both together."""
    fold = (np.array([[1.0], [-1.0]]), np.zeros(2))
    for slope, injective in ((0.0, False), (0.5, False), (2.0, True)):
        total = (np.array([[1.0 + slope, 1.0 - slope]]), np.zeros(1))
        answer = decided([fold, total], False, Space())
        assert isinstance(answer.proof, NetworkRegionsCertificate) == injective
        assert verify(answer.proof).valid


def test_collision_at_the_border_of_the_domain():
    """Where only points on the border collide, the closed domain counts."""
    tent = (np.array([[1.0], [1.0]]), np.array([0.0, -1.0]))  # x, and x - 1 beyond 1
    total = (np.array([[1.0, -2.0]]), np.zeros(1))
    assert isinstance(decided([tent, total], False, Box(0, 2)).proof.other, np.ndarray)
    assert isinstance(decided([tent, total], False, Box(0.5, 1)).proof, NetworkRegionsCertificate)


def test_points_of_low_rank(rng):
    """Enough neurons are active everywhere, but the second layer adds up what the first one tells apart."""
    base = rng.integers(-3, 4, (3, 3)).astype(float) + 5 * np.eye(3)
    first = np.vstack([base, -base]), np.zeros(6)
    total = rng.integers(1, 4, (8, 2)) @ rng.integers(1, 4, (2, 6))
    net = network([first, (total.astype(float), np.ones(8))], True)
    chain, domain = net.chain(), Box(-1, 1)
    points = sample_points(3, domain, 0)
    assert weak_point(chain, domain, points) is None
    found = low_rank_point(chain, domain, points)
    assert verify(found, net).valid and found.other is not None
    injective = network([first, (np.vstack([np.eye(6), np.ones((2, 6))]), np.ones(8))], True).chain()
    assert low_rank_point(injective, domain, points) is None
    assert low_rank_point(chain, Ball(0.0, 1.0), points) is None


def test_what_is_not_decided_says_why():
    rng = np.random.default_rng(0)
    layers = random_layers(rng, "gaussian", [2, 8, 8])
    assert "time was up" in decided(layers, True, Box(-1, 1), 1e-9).reason
    assert "flat" in decided(layers, True, Box([0.0, 1.0], [0.0, 2.0])).reason
    assert "too large" in decided(layers, True, Ball(0.0, 1.0)).reason
    assert "too large" in decided(random_layers(rng, "gaussian", [99, 100, 101]), True, Space()).reason
