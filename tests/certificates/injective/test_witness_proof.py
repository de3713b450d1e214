"""Witnesses against injectivity: signs at a point, decided exactly."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from tests.certificates.injective.proofs import domains
from tests.reference.cells import small_layer, unspanned_point
from tests.reference.injectivity import exact_rank, weakly_active
from unrelu.certificates import DomainRecord, LayerRecord, WitnessCertificate, verify
from unrelu.certificates.injective import certify_witness


def fractions(values) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@pytest.mark.parametrize("seed", range(60))
def test_points_of_cells(seed):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng)
    layer = LayerRecord.dense(weight, bias)
    for domain in domains(layer.n):
        x = unspanned_point(weight, bias, *domain.inequalities())
        if x is not None:
            certificate = certify_witness(layer, domain, fractions(x))
            assert verify(certificate).valid
            again = WitnessCertificate.from_json(certificate.to_json())
            assert verify(again) == verify(certificate)
            directed = certify_witness(layer, domain, fractions(x), directed=True)
            assert directed.direction is not None
            assert verify(directed).valid


@pytest.mark.parametrize("seed", range(60))
def test_points_are_certified_only_where_rows_do_not_span(seed):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng)
    layer, space = LayerRecord.dense(weight, bias), DomainRecord("space", weight.shape[1])
    for x in rng.integers(-2, 3, (10, layer.n)).astype(float):
        spans = exact_rank(weight[weakly_active(weight, bias, x)]) == layer.n
        certificate = certify_witness(layer, space, x)
        assert (certificate is None) == spans
        if certificate is not None:
            assert verify(certificate).valid
            random = rng.integers(-1, 2, layer.n).astype(float)
            active = weight[weakly_active(weight, bias, x)]
            fits = bool(random.any()) and not (active @ random).any()
            assert verify(dataclasses.replace(certificate, direction=random)).valid == fits
        else:
            assert not verify(WitnessCertificate(layer, space, x)).valid


def test_the_boundary_is_not_inside():
    layer = LayerRecord.dense(np.array([[1.0]]), np.array([-1.0]))
    box = DomainRecord("box", 1, np.zeros(1), np.ones(1))
    assert verify(WitnessCertificate(layer, box, np.array([0.5]))).valid
    for x in (0.0, 1.0, 2.0):
        assert "interior" in verify(WitnessCertificate(layer, box, np.array([x]))).reason
        assert certify_witness(layer, box, np.array([x])) is None


def test_signs_are_exact():
    # 0.1 + 0.2 - 0.3 is positive for the stored numbers, and 0.1 * 3 - 0.3 is, too.
    layer = LayerRecord.dense(np.array([[0.1, 0.2], [-1.0, 0.0]]), np.array([-0.3, 0.0]))
    answer = verify(WitnessCertificate(layer, DomainRecord("space", 2), np.array([1.0, 1.0])))
    assert answer.reason == "only 1 rows other than 0 are weakly active at x"
    third = WitnessCertificate(
        LayerRecord.dense(np.array([[3.0], [-3.0]]), np.array([-1.0, 1.0])),
        DomainRecord("space", 1),
        fractions([Fraction(1, 3)]),
    )
    assert not verify(third).valid


def test_a_direction_must_not_be_zero_nor_seen():
    layer, space = (
        LayerRecord.dense(np.array([[1.0, 0.0], [2.0, 0.0]]), np.zeros(2)),
        DomainRecord("space", 2),
    )
    three = LayerRecord.dense(np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]]), np.zeros(3))
    undirected = WitnessCertificate(three, DomainRecord("space", 3), np.zeros(3))
    assert "no direction is given" in verify(undirected).reason
    x = np.array([1.0, 0.0])
    assert "on only 1 lines" in verify(WitnessCertificate(layer, space, x)).reason
    assert verify(WitnessCertificate(layer, space, x, np.array([0.0, 1.0]))).valid
    assert "direction is 0" in verify(WitnessCertificate(layer, space, x, np.zeros(2))).reason
    assert "row 0" in verify(WitnessCertificate(layer, space, x, np.array([1e-300, 1.0]))).reason


def test_a_wide_layer(rng):
    weight = rng.standard_normal((1000, 300))
    layer = LayerRecord.dense(weight, rng.standard_normal(1000))
    x = -weight.sum(axis=0) * 1e6
    active = int((weight @ x + layer.bias >= 0).sum())
    assert verify(WitnessCertificate(layer, DomainRecord("space", 300), x)).valid == (active < 300)


def test_rows_on_few_lines_need_no_direction(rng):
    half = rng.standard_normal((4, 5))
    layer = LayerRecord.dense(np.vstack([half, 2 * half, -half]), np.zeros(12))
    certificate = certify_witness(layer, DomainRecord("space", 5), np.zeros(5))
    assert certificate.direction is None
    assert verify(certificate).reason == "the rows that are weakly active at x lie on only 4 lines"


def test_columns_that_no_active_row_uses(rng):
    weight = rng.standard_normal((900, 400))
    weight[:, 7] = 0
    layer, space = LayerRecord.dense(weight, np.ones(900)), DomainRecord("space", 400)
    certificate = certify_witness(layer, space, np.zeros(400))
    assert np.flatnonzero(certificate.direction).tolist() == [7]
    assert verify(certificate).valid


def test_witnesses_in_balls():
    layer = LayerRecord.dense(np.eye(2), np.array([0.8, 0.0]))
    ball = DomainRecord("ball", 2, center=np.zeros(2), radius=1.0)
    certificate = WitnessCertificate(layer, ball, np.array([0.0, -0.5]))
    assert verify(WitnessCertificate.from_json(certificate.to_json())).valid
    assert verify(certificate).statement == "relu(W x + b) is not injective on a ball of radius 1 in R^2"
    assert "interior" in verify(dataclasses.replace(certificate, x=np.array([0.0, -1.0]))).reason
