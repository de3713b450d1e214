"""Leaves: elimination modulo a prime, for many at once, against ranks over the rationals."""

from itertools import product

import flint
import numpy as np
import pytest

from tests.reference.trees import rank
from unrelu.certificates._verification import NotProvedError
from unrelu.certificates.injective import _choices, _leaves
from unrelu.certificates.injective._choices import MOST_SETS, singular_choices
from unrelu.certificates.injective._leaves import LeafChecker
from unrelu.certificates.injective._residues import PRIME, eliminate, modulo, residues_of
from unrelu.certificates.injective._tree import Leaf, members_of


def bits(rows) -> int:
    return sum(1 << int(r) for r in set(rows))


def holds(rows: np.ndarray, leaves: list[Leaf]) -> bool:
    checker = LeafChecker(rows)
    try:
        for leaf in leaves:
            checker.add(leaf)
        checker.finish()
    except NotProvedError:
        return False
    return True


def naively(rows: np.ndarray, leaf: Leaf) -> bool:
    n = rows.shape[1]
    for choice in product(*map(members_of, leaf.choices)):
        if rank(rows[[*members_of(leaf.chosen), *choice]]) < n:
            return False
    return True


def random_leaf(rng, m: int, n: int) -> Leaf:
    order = rng.permutation(m).tolist()
    chosen = [order.pop() for _ in range(rng.integers(0, n + 1))]
    sets = []
    for _ in range(int(rng.integers(0, n + 1))):
        sets.append(bits(order.pop() for _ in range(min(len(order), int(rng.integers(0, 4))))))
    return Leaf(0, bits(chosen), tuple(sets))


@pytest.mark.parametrize("kind", ["gaussian", "whole", "few", "multiples of the prime", "scales"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_single_leaves(kind, n, rng):
    m = 18
    rows = {
        "gaussian": rng.standard_normal((m, n)),
        "whole": rng.integers(-2, 3, (m, n)).astype(float),
        "few": rng.integers(0, 2, (m, n)) * rng.integers(-1, 2, (m, n)).astype(float),
        "multiples of the prime": rng.integers(-2, 3, (m, n)) * float(PRIME),
        "scales": np.ldexp(rng.integers(-3, 4, (m, n)).astype(float), rng.integers(-900, 900, (m, n))),
    }[kind]
    outcomes = []
    for _ in range(60):
        leaf = random_leaf(rng, m, n)
        outcomes.append(naively(rows, leaf))
        assert holds(rows, [leaf]) == outcomes[-1], leaf
    assert any(outcomes) and not all(outcomes)


def test_many_leaves_together(rng, monkeypatch):
    rows = rng.integers(-3, 4, (24, 3)).astype(float)
    leaves = [leaf for leaf in (random_leaf(rng, 24, 3) for _ in range(600)) if naively(rows, leaf)]
    wrong = next(leaf for leaf in iter(lambda: random_leaf(rng, 24, 3), None) if not naively(rows, leaf))
    for at_once, waiting, entries in ((1, 1, 1), (7, 40, 50), (1024, 30_000, 1 << 17)):
        monkeypatch.setattr(_leaves, "_LEAVES_AT_ONCE", at_once)
        monkeypatch.setattr(_leaves, "_LEAVES_WAITING", waiting)
        monkeypatch.setattr(_leaves, "_ENTRIES_AT_ONCE", entries)
        monkeypatch.setattr(_choices, "_AT_ONCE", entries)
        assert holds(rows, leaves)
        for place in (0, len(leaves) // 2, len(leaves)):
            assert not holds(rows, [*leaves[:place], wrong, *leaves[place:]])


def test_too_many_choices_are_refused(rng):
    rows = rng.standard_normal((90, 9))
    leaf = Leaf(5, 0, tuple(bits(range(10 * k, 10 * k + 10)) for k in range(9)))
    with pytest.raises(NotProvedError, match="tree position 5: more than"):
        LeafChecker(rows).add(leaf)


@pytest.mark.parametrize("p", range(1, MOST_SETS + 1))
def test_determinants_of_choices(p, rng):
    widths = rng.integers(1, 4, p).tolist()
    small = rng.integers(-1, 2, (3, sum(widths), p)) % PRIME
    large = rng.integers(0, PRIME, (3, sum(widths), p))
    for rows in (small, large, np.full_like(small, PRIME - 1)):
        ends = np.cumsum(widths)
        choices = list(product(*(range(e - w, e) for w, e in zip(widths, ends.tolist(), strict=True))))
        expected = {
            (k, choice)
            for k in range(3)
            for choice in choices
            if int(flint.nmod_mat(rows[k, list(choice)].tolist(), PRIME).det()) == 0
        }
        found = [(k, tuple(choice)) for k, choice in singular_choices(rows, widths)]
        assert set(found) == expected
        assert len(found) == len(expected)


def test_residues_are_of_the_stored_numbers(rng):
    rows = np.ldexp(rng.standard_normal((5, 4)), rng.integers(-40, 40, (5, 4)))
    found = residues_of(rows)
    for row, got in zip(rows.tolist(), found.tolist(), strict=True):
        ratios = [v.as_integer_ratio() for v in row]
        expected = [p * pow(q, -1, PRIME) % PRIME for p, q in ratios]
        factor = got[0] * pow(expected[0], -1, PRIME) % PRIME
        assert got == [v * factor % PRIME for v in expected]


def test_modulo_and_elimination_stay_in_range():
    largest = PRIME - 1
    assert modulo(np.array([largest * largest, -largest * largest, -1, 0, PRIME])).tolist() == [
        largest * largest % PRIME,
        -largest * largest % PRIME,
        PRIME - 1,
        0,
        0,
    ]
    pivots = np.array([[0, largest, 1], [0, 0, 0]])
    rows, column = eliminate(pivots, np.full((2, 1, 3), largest))
    assert column.tolist() == [1, -1]
    assert rows[0, 0, 1] == 0
    assert rows[1, 0].tolist() == [largest] * 3
