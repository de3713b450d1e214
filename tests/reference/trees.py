"""Injectivity proofs by plain recursion in rational arithmetic, and a replay that trusts nothing.

For a few rows only: supports come from the simplex method on Fractions, ranks from elimination.
"""

from fractions import Fraction
from itertools import product

import flint
import numpy as np

RANK_LEAF = -(2**31)


def homogenised(weight, bias, G=None, h=None) -> list[list[Fraction]]:
    """Rows of the layer, of the domain, and ``(0, -1)``."""
    rows = [[*w, b] for w, b in zip(weight.tolist(), bias.tolist(), strict=True)]
    if G is not None:
        rows += [[*g, -t] for g, t in zip(np.asarray(G).tolist(), np.asarray(h).tolist(), strict=True)]
    rows.append([0.0] * weight.shape[1] + [-1.0])
    return [[Fraction(v) for v in row] for row in rows]


def rank(rows) -> int:
    table = [[flint.fmpq(v.numerator, v.denominator) for v in map(Fraction, row)] for row in rows]
    return flint.fmpq_mat(table).rank() if table else 0


def positive_dependency(rows: list[list[Fraction]], allowed: list[int]) -> dict[int, Fraction] | None:
    """Positive weights, of sum 1, of a few of the allowed rows, whose combination is 0; a basic solution.

    Phase 1 of the simplex method with Bland's rule on ``sum lambda_i (row_i, 1) = (0, 1)``.
    """
    height = len(rows[0]) + 1
    table = [[rows[i][k] for i in allowed] + [Fraction(0)] for k in range(height - 1)]
    table.append([Fraction(1)] * (len(allowed) + 1))
    basis = [-1 - k for k in range(height)]  # artificial variables
    while True:
        cost = [
            sum(row[j] for row, v in zip(table, basis, strict=True) if v < 0) for j in range(len(allowed))
        ]
        enter = next((j for j, c in enumerate(cost) if c > 0), None)
        if enter is None:
            break
        up = [k for k in range(height) if table[k][enter] > 0]
        leave = min(up, key=lambda k: (table[k][-1] / table[k][enter], basis[k]))
        table[leave] = [v / table[leave][enter] for v in table[leave]]
        for k in range(height):
            if k != leave and table[k][enter]:
                factor = table[k][enter]
                table[k] = [a - factor * b for a, b in zip(table[k], table[leave], strict=True)]
        basis[leave] = enter
    if any(v < 0 and row[-1] != 0 for row, v in zip(table, basis, strict=True)):
        return None
    return {allowed[v]: row[-1] for row, v in zip(table, basis, strict=True) if v >= 0 and row[-1] > 0}


class Prover:
    """Builds supports and tree for a layer that is injective; `failed` says that it is not."""

    def __init__(self, weight, bias, G=None, h=None, exact=True, pack=True, signs=False):
        self.rows = homogenised(weight, bias, G, h)
        self.weight, self.exact, self.pack, self.signs = weight, exact, pack, signs
        self.m, self.n = weight.shape
        self.supports: list[tuple[int, ...]] = []
        self.tree: list[int] = []
        self.failed = False
        self._node(frozenset(), frozenset())

    @property
    def arrays(self):
        starts = np.cumsum([0, *map(len, self.supports)])
        rows = np.array([r for s in self.supports for r in s], dtype=np.int32)
        return starts.astype(np.int64), rows, np.array(self.tree, dtype=np.int32)

    def _support(self, without, Z) -> int | None:
        signed, codes = signed_rows(self.rows, Z if self.signs else ())
        found = positive_dependency(
            signed, [i for i, code in enumerate(codes) if not (code in without and code >= 0)]
        )
        if found is None:
            return None
        if all(codes[i] < 0 for i in found):  # says only where rows of Z are 0
            found = positive_dependency(self.rows, [i for i in range(len(self.rows)) if i not in without])
        if found is None:
            return None
        support = tuple(sorted((codes[i] for i in found), key=number))
        if support not in self.supports:
            self.supports.append(support)
        return self.supports.index(support)

    def _free(self, k: int, N) -> list[int]:
        return [r for r in self.supports[k] if 0 <= r < self.m and r not in N]

    def _node(self, Z, N) -> None:
        if self.failed:
            return
        if (rank(self.weight[sorted(Z)]) if self.exact else len(Z)) == self.n:
            self.tree.append(RANK_LEAF)
            return
        pack = self._pack(Z, N)
        if not pack:
            self.failed = True
        elif self.pack and self._closes(Z, N, pack):
            self.tree += [-len(pack), *pack]
        else:
            excluded = N
            for r in self._free(pack[0], N):
                self.tree.append(r)
                self._node(Z | {r}, excluded)
                excluded = excluded | {r}
            self.tree += [-1, pack[0]]

    def _pack(self, Z, N) -> list[int]:
        pack, used = [], set(Z)
        while len(Z) + len(pack) < self.n or not pack:
            k = self._support(used, Z)
            if k is None:
                break
            pack.append(k)
            used |= set(self._free(k, N))
            if not self._free(k, N):
                break
        return pack

    def _closes(self, Z, N, pack) -> bool:
        if len(Z) + len(pack) < self.n:
            return False
        choices = product(*(self._free(k, N) for k in pack))
        return not self.exact or all(rank(self.weight[[*Z, *c]]) == self.n for c in choices)


def number(code: int) -> int:
    """Of a row that is written with its sign: ``-1 - i`` for minus row ``i``."""
    return code if code >= 0 else -1 - code


def signed_rows(rows, Z) -> tuple[list[list[Fraction]], list[int]]:
    """All rows, then those of Z with their signs changed; and how they are written."""
    chosen = sorted(Z)
    return rows + [[-v for v in rows[r]] for r in chosen], [*range(len(rows)), *(-1 - r for r in chosen)]


def is_proof(weight, bias, G, h, supports, tree, exact, inner=None) -> bool:
    """Replay a proof with sets and Fractions, one thing at a time."""
    rows = homogenised(weight, bias, G, h)
    m, n = weight.shape
    if inner is not None:
        point = [*map(Fraction, inner), Fraction(1)]
        if any(sum(a * x for a, x in zip(row, point, strict=True)) >= 0 for row in rows[m:]):
            return False
    for support in supports:
        numbers = [number(r) for r in support]
        if not support or numbers != sorted(set(numbers)) or not 0 <= numbers[0] <= numbers[-1] < len(rows):
            return False
        if any(r < -m for r in support) or all(r < 0 for r in support):
            return False
        if inner is None and all(r < 0 or m <= r < len(rows) - 1 for r in support):
            return False
        if not _has_unique_dependency([rows[r] if r >= 0 else [-v for v in rows[-1 - r]] for r in support]):
            return False
    stream = iter(tree)
    try:
        closed = _replay(weight, m, n, supports, stream, frozenset(), frozenset(), exact)
    except StopIteration:
        return False
    return closed and next(stream, None) is None


def _has_unique_dependency(rows) -> bool:
    found = positive_dependency(rows, list(range(len(rows))))
    return found is not None and len(found) == len(rows) and rank(rows) == len(rows) - 1


def _replay(weight, m, n, supports, stream, Z, N, exact) -> bool:
    token = next(stream)
    if token >= 0:
        if token in Z | N or not any(token == number(r) for support in supports for r in support):
            return False
        return (
            token < m
            and _replay(weight, m, n, supports, stream, Z | {token}, N, exact)
            and _replay(weight, m, n, supports, stream, Z, N | {token}, exact)
        )
    pack = [] if token == RANK_LEAF else [next(stream) for _ in range(-token)]
    if any(not 0 <= k < len(supports) for k in pack):
        return False
    if any(r in Z or (r < 0 and -1 - r not in Z) for k in pack for r in supports[k]):
        return False
    free = [{r for r in supports[k] if 0 <= r < m and r not in N} for k in pack]
    if not all(free):
        return True
    if not exact:
        load = max([1, *(sum(r in rows for rows in free) for r in range(m))])
        return len(Z) * load + len(pack) > load * (n - 1)
    if sum(map(len, free)) != len(frozenset().union(*free)):
        return False
    return all(rank(weight[[*Z, *choice]]) == n for choice in product(*free))
