"""Maxima beside what tells entries apart, against brute force over all choices of maxima."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.links.blocks import affine, dense, holds, maximum, pooling, reason, relu
from tests.reference import links as reference
from unrelu.certificates import LayerRecord, LinkRecord, LinkStep, MaximaProof


def cosines(size: int) -> np.ndarray:
    """Rows of the discrete cosine transform but the first, rounded as a module has them."""
    table = [[math.cos(math.pi / size * k * (j + 0.5)) for j in range(size)] for k in range(1, size)]
    return np.array(table) * math.sqrt(2 / size)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9, 25])
def test_details_of_a_cosine_transform(size):
    """Their rows are rounded and need not be orthogonal to the constant vector."""
    assert holds(MaximaProof(pooling(3, size, cosines(size).reshape(size - 1, size))))


@pytest.mark.parametrize(
    ("details", "valid"),
    [
        ([[1, -1]], True),
        ([[1, -1 + 2**-52]], True),
        ([[1, 1]], False),  # (1, -1) changes by 1, -1 and the maximum maybe not at all
        ([[1, 0]], False),  # the second entry may hide below the first
        ([[0, 0]], False),
        ([[2, -1]], True),  # (1, 2)
        ([[1, 2**-1000]], False),
        ([[1, -(2**-1000)]], True),
        ([[1, -1], [1, -1]], True),
        ([[1, 0], [0, 1]], True),
    ],
)
def test_details_of_two_entries(details, valid):
    link = pooling(2, 2, details)
    assert holds(MaximaProof(link)) == valid != reference.collide(link)


def test_the_sign_of_the_maximum_matters():
    """Details that tell differences from one entry, which rise or fall as it does."""
    assert holds(MaximaProof(pooling(1, 3, [[1, -1, 0], [1, 0, -1]])))
    link = pooling(1, 3, [[1, 1, 0], [1, 0, 1]])
    assert not holds(MaximaProof(link)) and reference.collide(link)


def random_link(rng) -> LinkRecord:
    """A few integers: entries moved or not, one or two groups, rows of entries and maxima."""
    n = int(rng.integers(1, 4))
    k = int(rng.integers(1, n + 1))
    count = int(rng.integers(1, 3))
    weight = np.eye(n) if rng.random() < 0.5 else rng.integers(-1, 2, (n, n))
    groups = rng.permutation(np.tile(np.arange(n), 2))[: count * k].reshape(count, k)
    rows = rng.integers(-1, 2, (int(rng.integers(1, n + 2)), n + count)) * rng.integers(0, 2, n + count)
    told = np.hstack([np.zeros((count, n)), np.eye(count)])
    step = maximum(groups, weight, rng.integers(-1, 2, n) * 1.0)
    return LinkRecord(n, (step, affine(0, 1, weight=np.vstack([told, rows]))))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_proved_is_true(seed):
    rng, seen = np.random.default_rng(seed), Counter()
    for _ in range(60):
        link = random_link(rng)
        valid, true = holds(MaximaProof(link)), not reference.collide(link)
        seen[valid, true] += 1
        assert not valid or true, link
    assert seen[True, True] > 10 and seen[False, False] > 10
    # Several groups that overlap, or a kernel of two dimensions, may be injective without a proof.
    assert seen[False, True] < 15, seen


@given(st.integers(0, 10**6), st.integers(-300, 300), st.integers(-300, 300))
@settings(max_examples=25)
def test_scales_and_orders_do_not_matter(seed, row_power, power):
    rng = np.random.default_rng(seed)
    details = rng.integers(-2, 3, (2, 3)).astype(float)
    valid = holds(MaximaProof(pooling(1, 3, details)))
    assert holds(MaximaProof(pooling(1, 3, np.ldexp(details, [[row_power], [power]])))) == valid
    assert holds(MaximaProof(pooling(1, 3, -details[::-1]))) == valid
    assert holds(MaximaProof(pooling(1, 3, details[:, rng.permutation(3)]))) == valid


def test_other_rows_do_not_count():
    """What reads an opaque function is not used, and an entry that nothing else tells is lost."""
    link = pooling(1, 2, [[1, -1]])
    opaque = LinkStep.opaque("g", "g", (0,), 2, 1)
    weight = np.array([[0, 0, 1, 0], [1, -1, 0, 1]])
    mixed = LinkRecord(2, (link.steps[0], opaque, affine(0, 1, 2, weight=weight)))
    assert not holds(MaximaProof(mixed))
    apart = np.array([[0, 0, 1, 0], [1, -1, 0, 0], [1, 1, 0, 1]])
    assert holds(MaximaProof(LinkRecord(2, (link.steps[0], opaque, affine(0, 1, 2, weight=apart)))))
    wider = np.array([[0, 0, 0, 1.0], [1, -1, 0, 0]])
    assert not holds(MaximaProof(LinkRecord(3, (maximum([[0, 1]], np.eye(3)), affine(0, 1, weight=wider)))))


def test_what_it_needs():
    link = pooling(1, 2, [[1, -1]])
    last = link.last
    behind = LinkRecord(2, (link.steps[0], dataclasses.replace(last, kind="relu")))
    assert "'relu', not affine" in reason(MaximaProof(behind))
    none = LinkRecord(2, (relu(0, weight=np.ones((1, 2))), affine(0, 1, weight=last_weight())))
    assert "no step takes maxima" in reason(MaximaProof(none))
    assert "entry 2 may hide" in reason(MaximaProof(changed_window()))


def test_maxima_of_other_activations_do_not_count():
    """Behind a ReLU all maxima may be 0; a second pooling of the input does not help."""
    positive = relu(0, weight=np.eye(2))
    behind = LinkStep("maximum", (1,), dense(np.eye(2)), groups=np.array([[0, 1]]))
    weight = np.array([[0, 0, 1.0], [1, -1, 0]])
    link = LinkRecord(2, (positive, behind, affine(0, 2, weight=weight)))
    assert not holds(MaximaProof(link)) and reference.collide(link)
    other = maximum([[0]], np.eye(2))
    both = np.array([[0, 0, 1.0, 0], [1, -1, 0, 0], [0, 0, 0, 0]])
    link = LinkRecord(2, (positive, behind, other, affine(0, 2, 3, weight=both)))
    assert not holds(MaximaProof(link)) and reference.collide(link)


def last_weight() -> np.ndarray:
    return np.array([[0, 0, 1.0], [1, -1, 0]])


def changed_window() -> LinkRecord:
    """Two windows, of which the second has details of another sign."""
    link = pooling(2, 2, [[1, -1]])
    values = link.last.map.values.copy()
    values[-1] = 1.0
    record = dataclasses.replace(link.last.map, values=values)
    return LinkRecord(4, (link.steps[0], dataclasses.replace(link.last, map=record)))


def test_many_windows_are_checked_once():
    """Far more windows than elimination could do one by one."""
    windows = 20_000
    n = 2 * windows
    moved = LayerRecord("pool", "pool", n, np.arange(n + 1), np.arange(n), np.ones(n), np.zeros(n))
    columns = np.concatenate([n + np.arange(windows), np.arange(n)])
    starts = np.concatenate([np.arange(windows), windows + 2 * np.arange(windows + 1)])
    values = np.concatenate([np.ones(windows), np.tile([1.0, -1.0], windows)])
    rows = LayerRecord("cat", "cat", n + windows, starts, columns, values, np.zeros(2 * windows))
    step = LinkStep("maximum", (0,), moved, groups=np.arange(n).reshape(windows, 2))
    assert holds(MaximaProof(LinkRecord(n, (step, LinkStep("affine", (0, 1), rows)))))
