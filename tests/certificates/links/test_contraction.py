"""Residual blocks: bounds of norms against dense matrices, and the statement against brute force."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.links.blocks import affine, dense, holds, maximum, reason, relu, residual
from tests.reference import links as reference
from unrelu.certificates import ContractionProof, LinkRecord, LinkStep
from unrelu.certificates._rows import Rows
from unrelu.certificates.links._norms import Norms

CLOSE = 1.05  # bounds of norms are a few per cent too large


@pytest.mark.parametrize("seed", range(40))
def test_as_on_dense_matrices(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 6, 2)
    shortcut = np.eye(n) if seed % 3 else rng.standard_normal((n + int(rng.integers(0, 2)), n))
    inner, outer = rng.standard_normal((m, n)), rng.standard_normal((len(shortcut), m))
    link = residual(inner, outer, shortcut)
    scale = rng.choice([0.5, 0.9, 0.94, 1.001, 1.2]) / reference.contraction(link)
    link = residual(inner, scale * outer, shortcut)
    expected = reference.contraction(link)
    valid = holds(ContractionProof(link))
    assert valid <= (expected < 1) and valid >= (expected * CLOSE < 1), expected
    if seed % 3:
        apart = holds(ContractionProof(residual(inner, outer, shortcut, float(scale))))
        assert apart <= (expected < 1 + 1e-9) and apart >= (expected * CLOSE < 1)


def test_the_limit_is_strict():
    for weight, valid in ((-1.0, False), (-1 + 2.0**-52, False), (-1 + 2.0**-4, True), (1.0, False)):
        link = residual(np.eye(1), np.array([[weight]]))
        assert holds(ContractionProof(link)) == valid
    assert reference.collide(residual(np.eye(1), np.array([[-1.0]])))
    assert reference.collide(residual(np.eye(1), np.array([[-1.01]])))
    assert not holds(ContractionProof(residual(np.eye(1), np.array([[-1.01]]))))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_proved_is_true(seed):
    rng, seen = np.random.default_rng(seed), Counter()
    for _ in range(40):
        n, m = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        inner, outer = (rng.integers(-2, 3, shape) / 4 for shape in ((m, n), (n, m)))
        shortcut = np.eye(n) if rng.random() < 0.6 else rng.integers(-1, 2, (n, n)) * 2.0
        link = residual(inner * rng.integers(0, 2, (m, n)), outer * rng.choice([1, 2, 8]), shortcut)
        labels = rng.integers(0, n, n)
        last = rng.choice([labels, rng.integers(0, n, n)])
        proofs = [ContractionProof(link), ContractionProof(link, (labels, rng.integers(0, 2, m), last))]
        true = not reference.collide(link)
        for proof in proofs:
            seen[holds(proof), true] += 1
            assert true or not holds(proof), proof
    assert seen[True, True] > 10 and seen[False, False] > 3


def convolution(kernel: np.ndarray, size: int) -> np.ndarray:
    """The matrix of a convolution along one axis that pads with zeros, pixels outside of channels."""
    outer, inner, taps = kernel.shape
    out = np.zeros((outer, size, inner, size))
    for place in range(size):
        for tap in range(taps):
            if 0 <= place + tap - taps // 2 < size:
                out[:, place, :, place + tap - taps // 2] += kernel[:, :, tap]
    return out.reshape(outer * size, inner * size)


def pixels(channels: int, size: int) -> np.ndarray:
    return np.tile(np.arange(size), channels)


def test_convolutions_cost_the_sum_over_taps(rng):
    """By pixels the bound is that which a convolution is divided by, and one block has a smaller norm."""
    size, kernel = 9, rng.standard_normal((3, 2, 3))
    weight = Rows.of(convolution(kernel, size))
    taps = sum(np.linalg.norm(kernel[:, :, tap], 2) for tap in range(3))
    bound = Norms().bound(weight, pixels(3, size), pixels(2, size))
    assert taps <= bound < 1.01 * taps
    whole = Norms().bound(weight, np.zeros(27, int), np.zeros(18, int))
    exact = np.linalg.norm(convolution(kernel, size), 2)
    assert exact <= whole < 1.01 * exact and exact < 0.95 * taps
    other = rng.standard_normal((2, 3, 3))
    taps *= sum(np.linalg.norm(other[:, :, tap], 2) for tap in range(3))
    link = residual(convolution(kernel, size), convolution(other, size), factor=0.9 / taps)
    blocks = pixels(2, size), pixels(3, size), pixels(2, size), pixels(2, size)
    assert holds(ContractionProof(link, blocks))
    steps = residual(convolution(kernel, size), convolution(other, size), factor=1.1 / taps)
    assert not holds(ContractionProof(steps, blocks))


@pytest.mark.parametrize("seed", range(30))
def test_bounds_by_blocks_are_above(seed):
    rng = np.random.default_rng(seed)
    matrix = np.ldexp(rng.standard_normal((7, 6)), rng.integers(-300, 200))
    matrix[rng.random((7, 6)) < 0.4] = 0
    of_row, of_column = rng.integers(0, 4, 7), rng.integers(0, 3, 6)
    bound = Norms().bound(Rows.of(matrix), of_row, of_column)
    table = [
        [
            np.linalg.norm(matrix[of_row == g][:, of_column == h], 2)
            if (of_row == g).any() and (of_column == h).any()
            else 0
            for h in range(3)
        ]
        for g in range(4)
    ]
    table = np.array(table)
    schur = np.sqrt(table.sum(axis=1).max() * table.sum(axis=0).max())
    assert np.linalg.norm(matrix, 2) <= schur * (1 + 1e-12)
    assert schur <= bound < 1.05 * schur + 1e-300


@given(st.integers(0, 10**6), st.integers(-250, 250))
@settings(max_examples=30)
def test_orders_and_scales_do_not_matter(seed, power):
    """Permuted entries, and a scale that moves between two maps."""
    rng = np.random.default_rng(seed)
    inner, outer = rng.standard_normal((3, 2)), rng.standard_normal((2, 3))
    outer *= rng.choice([0.8, 1.2]) / reference.contraction(residual(inner, outer))
    valid = holds(ContractionProof(residual(inner, outer)))
    one, other = rng.permutation(2), rng.permutation(3)
    assert holds(ContractionProof(residual(inner[other][:, one], outer[one][:, other]))) == valid
    scaled = residual(np.ldexp(inner, power), np.ldexp(outer, -power))
    assert holds(ContractionProof(scaled)) == valid


def test_blocks_say_nothing_that_is_taken_on_trust(rng):
    inner, outer = rng.standard_normal((4, 4)), rng.standard_normal((4, 4))
    outer *= 0.8 / reference.contraction(residual(inner, outer))
    link = residual(inner, outer)
    whole = [np.zeros(4, int)] * 3
    assert holds(ContractionProof(link, tuple(whole)))
    for k, labels in ((0, np.arange(4)), (1, np.zeros(3, int)), (2, np.full(4, -1)), (2, np.full(4, 10**7))):
        other = [*whole[:k], labels, *whole[k + 1 :]]
        assert not holds(ContractionProof(link, tuple(other)))
    assert "other numbers of entries" in reason(ContractionProof(link, tuple(whole[:2])))
    swapped = ContractionProof(link, (np.arange(4), np.zeros(4, int), np.arange(4)[::-1]))
    assert not holds(swapped)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_blocks_with_the_same_entries_may_have_other_columns(factor):
    """The second block is the first one with a column that no row uses."""
    rows = factor * np.eye(2, 3)
    link = LinkRecord(
        3, (relu(0, weight=np.zeros((1, 3))), affine(0, 1, weight=np.hstack([rows, [[0], [0]]])))
    )
    for labels in ([0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 2]):
        of_row = np.array(labels[:2])
        assert not holds(ContractionProof(link, (np.array(labels), np.zeros(1, int), of_row)))
    square = LinkRecord(2, (affine(0, weight=factor * np.eye(2)),))
    for labels in ([0, 0], [0, 1], [1, 0]):
        assert holds(ContractionProof(square, (np.array(labels), np.array(labels))))


def test_larger_images_have_more_entries_than_inputs():
    """A shortcut with more rows than columns, of which some serve the block."""
    tall = np.vstack([2 * np.eye(2), np.ones((1, 2))])
    link = residual(np.eye(2), 0.5 * np.ones((3, 2)), tall)
    assert holds(ContractionProof(link)) == (reference.contraction(link) * CLOSE < 1)
    rows_left_out = ContractionProof(link, (np.zeros(2, int), np.zeros(2, int), np.array([0, 0, 1])))
    assert holds(rows_left_out)
    thin = residual(np.eye(2), 0.1 * np.ones((1, 2)), np.ones((1, 2)))
    assert not holds(ContractionProof(thin))


def test_affine_steps_and_maxima_between(rng):
    """Entries of a maximum count as often as they are in a group."""
    pool = maximum([[0, 1], [1, 2]], np.eye(3))
    for factor, valid in ((0.6, True), (0.72, False)):
        link = LinkRecord(3, (pool, affine(0, 1, weight=np.hstack([np.eye(3), factor * np.eye(3, 2)]))))
        assert reference.contraction(link) == pytest.approx(factor * np.sqrt(2))
        assert holds(ContractionProof(link)) == valid
    deep = [relu(0, weight=0.5 * np.eye(2)), affine(0, 1, weight=np.hstack([np.eye(2), np.eye(2)]))]
    for factor, valid in ((0.6, True), (0.7, False)):
        last = affine(0, 2, weight=np.hstack([np.eye(2), factor * np.eye(2)]))
        assert holds(ContractionProof(LinkRecord(2, (*deep, last)))) == valid


def test_what_it_needs(rng):
    link = residual(0.5 * np.eye(2), 0.5 * np.eye(2))
    behind = LinkRecord(2, (link.steps[0], dataclasses.replace(link.last, kind="relu")))
    assert "'relu', not affine" in reason(ContractionProof(behind))
    unknown = LinkRecord(2, (LinkStep.opaque("g", "g", (0,), 2, 2), link.last))
    assert "'opaque', which has no Lipschitz constant" in reason(ContractionProof(unknown))
    alone = LinkRecord(2, (affine(0, weight=np.eye(2)),))
    assert holds(ContractionProof(alone))
    none = LinkRecord(2, (LinkStep("affine", (0,), dense(np.zeros((2, 2)))),))
    assert "no row of block 0" in reason(ContractionProof(none))


@pytest.mark.parametrize("value", [1e81, 1e155, 1e300, 1e-300])
def test_numbers_of_any_size_are_refused_or_right(value):
    """Products that may overflow are not formed; a shortcut of any size is divided out."""
    assert not holds(ContractionProof(residual(np.array([[value]]), np.array([[0.5 / value]]))))
    assert holds(ContractionProof(residual(np.eye(1), np.array([[value / 2]]), np.array([[value]]))))
