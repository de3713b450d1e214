"""Answers by structure against brute force over all cells; every answer is a certificate that verifies."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.cells import small_layer, unspanned_point
from tests.reference.trees import Prover
from unrelu.certificates import DomainRecord, InjectivityCertificate, LayerRecord, verify
from unrelu.certificates.injective import certify_witness
from unrelu.injectivity._blocks import components, windows
from unrelu.injectivity._structure import decide_by_structure, interior_point
from unrelu.layers import ReLULayer


def domains(n: int) -> list[DomainRecord]:
    return [
        DomainRecord("space", n),
        DomainRecord("orthant", n),
        DomainRecord("box", n, np.full(n, -1.0), np.full(n, 1.0)),
        DomainRecord("box", n, np.full(n, 0.25), np.full(n, np.inf)),
        DomainRecord("polytope", n, matrix=np.vstack([-np.eye(n), np.ones((1, n))]), offsets=np.ones(n + 1)),
    ]


def dense(layer: LayerRecord) -> np.ndarray:
    weight = np.zeros((layer.m, layer.n))
    weight[np.repeat(np.arange(layer.m), np.diff(layer.starts)), layer.columns] = layer.values
    return weight


def by_brute_force(layer, domain):
    """What a search would answer: a tree or a witness."""
    weight, (G, h) = dense(layer), domain.inequalities()
    point = unspanned_point(weight, layer.bias, G, h)
    if point is None:
        return InjectivityCertificate(layer, domain, "exact", *Prover(weight, layer.bias, G, h).arrays)
    x = np.empty(layer.n, dtype=object)
    x[:] = point
    return certify_witness(layer, domain, x)


def answer(weight, bias, domain, prove=None) -> bool | None:
    """Whether the layer is injective as far as structure tells; the certificate is checked."""
    found = decide_by_structure(LayerRecord.dense(np.asarray(weight, dtype=float), bias), domain, prove)
    if found is None:
        return None
    assert verify(type(found).from_json(found.to_json())).valid
    return found.form == "injective-structure"


def check_against_cells(rng, most: int) -> int:
    """Compare all domains on one layer; return how many were decided."""
    weight, bias = small_layer(rng, most)
    decided = 0
    for domain in domains(weight.shape[1]):
        found = answer(weight, bias, domain, by_brute_force if rng.integers(2) else None)
        if found is not None:
            decided += 1
            point = unspanned_point(weight, bias, *domain.inequalities())
            assert found == (point is None), (weight, bias, domain)
    return decided


@pytest.mark.parametrize("seed", range(60))
def test_never_wrong(seed):
    check_against_cells(np.random.default_rng(seed), 3)


@given(st.integers(0, 10**6), st.integers(0, 3))
@settings(max_examples=40)
def test_order_and_scale_of_rows_do_not_matter(seed, kind):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng, 3)
    domain = domains(weight.shape[1])[kind]
    order, scale = rng.permutation(len(weight)), np.ldexp(1.0, rng.integers(-40, 40, len(weight)))
    moved = answer((weight * scale[:, None])[order], (bias * scale)[order], domain)
    assert moved == answer(weight, bias, domain)


@pytest.mark.slow
def test_never_wrong_on_many_layers():
    rng = np.random.default_rng(2026)
    decided = sum(check_against_cells(rng, int(rng.choice([1, 2, 2, 3, 3, 4]))) for _ in range(4000))
    assert decided > 8_000


@pytest.mark.parametrize("seed", range(80))
def test_few_rows_are_always_decided(seed):
    # Fewer than 2n directions, or 2n, on all of R^n.
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    m = int(rng.integers(0, 2 * n + 1))
    kind = seed % 4
    weight = rng.integers(-2, 3, (m, n)).astype(float) if kind < 2 else rng.standard_normal((m, n))
    if kind == 1:
        base = rng.integers(-2, 3, (n, n)).astype(float)
        weight = rng.permutation(np.vstack([base, -2 * base]))
    bias = rng.integers(-1, 2, len(weight)).astype(float) * (kind != 2)
    space = DomainRecord("space", n)
    assert answer(weight, bias, space) == (unspanned_point(weight, bias) is None)


@pytest.mark.parametrize(("bias", "injective"), [(0.0, True), (1.0, True), (-1e-9, False)])
def test_twice_as_many_rows_as_columns(bias, injective, rng):
    basis = rng.standard_normal((30, 30))
    offsets = np.zeros(60)
    offsets[7] = bias
    assert answer(np.vstack([basis, -basis]), offsets, DomainRecord("space", 30)) == injective


def test_one_row_without_an_opposite_one(rng):
    basis = rng.standard_normal((20, 20))
    weight = np.vstack([basis, -basis])
    weight[25] = rng.standard_normal(20)
    assert answer(weight, rng.standard_normal(40), DomainRecord("space", 20)) is False


def test_dependent_pairs_are_refuted(rng):
    basis = rng.integers(-3, 4, (6, 6)).astype(float)
    basis[5] = basis[0] + basis[1]
    assert answer(np.vstack([basis, -basis]), np.zeros(12), DomainRecord("space", 6)) is False


def test_repeated_and_zero_rows_do_not_count(rng):
    half = rng.standard_normal((5, 5))
    weight = np.vstack([half, half, 3.0 * half, np.zeros((4, 5))])
    assert answer(weight, np.ones(19), DomainRecord("space", 5)) is False


def test_the_bias_lemma_has_a_counterexample():
    # The rows with b >= 0 alone are not injective; all rows together are.
    weight, bias = np.array([[1.0], [-1.0]]), np.array([-1.0, 1.0])
    space = DomainRecord("space", 1)
    assert answer(weight[bias >= 0], np.zeros(1), space) is False
    assert answer(weight, bias, space) is True


def test_non_negative_rows_on_non_negative_inputs(rng):
    weight = rng.random((7, 6))
    assert answer(weight, np.zeros(7), DomainRecord("orthant", 6)) is True
    assert answer(weight, np.zeros(7), DomainRecord("box", 6, np.zeros(6), np.ones(6))) is True
    assert answer(weight, np.zeros(7), DomainRecord("space", 6)) is False


def test_always_active_rows_and_pairs_share_the_work(rng):
    weight = rng.standard_normal((4, 3))
    weight[3] = -weight[2]
    bias = np.array([20.0, 20.0, 0.5, -0.5])
    cube = DomainRecord("box", 3, -np.ones(3), np.ones(3))
    assert answer(weight, bias, cube) is True
    assert answer(weight, bias - [20, 0, 0, 0], cube) is not True


def test_blocks_are_decided_one_by_one(rng):
    # Five columns each; the layer is their direct sum, rows and columns shuffled.
    kernels = np.array([[1.0, 2.0], [-2.0, -1.0], [-1.0, 1.5], [1.0, -1.0], [0.5, 1.0], [-1.0, -2.5]])
    weight = np.kron(np.eye(5), kernels)[rng.permutation(30)][:, rng.permutation(10)]
    space = DomainRecord("space", 10)
    assert len(components(LayerRecord.dense(weight, np.zeros(30)))) == 5
    assert answer(weight, np.zeros(30), space) is None
    assert answer(weight, np.zeros(30), space, by_brute_force) is True
    bias = np.zeros(30)
    bias[int(np.flatnonzero(weight[:, 0])[0])] = -5.0
    assert answer(weight, bias, space, by_brute_force) in {True, False}


def test_one_bad_block_spoils_the_sum(rng):
    good = np.array([[1.0, 2.0], [-2.0, -1.0], [-1.0, 1.5], [1.0, -1.0], [0.5, 1.0], [-1.0, -2.5]])
    bad = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    weight = np.zeros((12, 4))
    weight[:6, :2], weight[6:, 2:] = good, bad
    for domain in domains(4)[:4]:
        found = answer(weight, np.zeros(12), domain, by_brute_force)
        assert found == (unspanned_point(weight, np.zeros(12), *domain.inequalities()) is None)


@pytest.mark.parametrize("padding", [0, 1])
def test_convolutions_by_windows(padding):
    # Theorem of Puthawala et al.: the shifts of the kernels inside one window are a directed spanning set.
    kernels = torch.tensor(
        [[1.0, 2.0], [-2.0, -1.0], [-1.0, 1.5], [1.0, -1.0], [0.5, 1.0], [-1.0, -2.5]], dtype=torch.float64
    )
    module = torch.nn.Conv1d(1, 6, 2, padding=padding, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(kernels[:, None])
        module.bias.zero_()
    layer = ReLULayer.from_module(module, (1, 12)).record()
    calls = []

    def prove(part, domain):
        calls.append(part)
        return by_brute_force(part, domain)

    found = decide_by_structure(layer, DomainRecord("space", 12), prove)
    assert verify(found).valid
    assert len(calls) == 1
    assert decide_by_structure(layer, DomainRecord("space", 12)) is None


def test_larger_windows_where_single_outputs_do_not_do():
    # No window of two is injective, the windows of three are.
    kernels = np.array([[1.0, 1.0], [-1.0, -1.0], [-1.0, 2.0], [2.0, -1.0]])
    weight = np.zeros((4 * 5, 6))
    for shift in range(5):
        weight[4 * shift : 4 * shift + 4, shift : shift + 2] = kernels
    layer = LayerRecord.dense(weight, np.zeros(20))
    sizes = [sorted({len(place.columns) for place in places}) for places in windows(layer)]
    assert sizes == [[2], [3]]
    inside = [[len(place.rows) for place in places] for places in windows(layer)]
    assert inside == [[4] * 5, [8] * 4]
    one, two = kernels, weight[:8, :3]
    by_windows = answer(weight, np.zeros(20), DomainRecord("space", 6), by_brute_force)
    assert (unspanned_point(one, np.zeros(4)) is None) is False
    assert by_windows == (True if unspanned_point(two, np.zeros(8)) is None else None)


def test_flat_boxes_have_no_interior():
    assert interior_point(DomainRecord("box", 2, np.zeros(2), np.array([1.0, 0.0]))) is None
    assert interior_point(DomainRecord("box", 1, np.array([1e300]), np.array([np.inf]))) is None
    for domain in domains(2)[:4]:
        low, high = domain.inequalities()
        assert (low @ interior_point(domain) < high).all()


def test_no_rows_and_no_columns_used():
    space = DomainRecord("space", 2)
    assert answer(np.zeros((0, 2)), np.zeros(0), space) is False
    assert answer(np.zeros((3, 2)), np.ones(3), space) is False
    assert answer(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2), DomainRecord("orthant", 2)) is False
