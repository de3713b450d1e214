"""Whether a chain of layers is injective, by all pairs of its linear regions: exact, without a solver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import flint

from unrelu.certificates._circuits import Row, affine_rows, is_circuit, kernel, rational, stacked
from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._network_regions import NetworkRegionsCertificate
from unrelu.certificates._verification import NotProvedError, Proved, require


@dataclass(frozen=True)
class Chain:
    """The maps of a chain in rational numbers.

    Attributes:
        n: Number of inputs.
        hidden: ``(W, b)`` of each ReLU layer, shape ``(m, n + 1)``.
        last: Of the affine map behind them.
    """

    n: int
    hidden: tuple[flint.fmpq_mat, ...]
    last: flint.fmpq_mat | None

    @classmethod
    def of(cls, layers: list[LayerRecord], last: LayerRecord | None) -> Chain:
        """Read the maps."""
        end = None if last is None else affine_rows(last)
        return cls(layers[0].n, tuple(map(affine_rows, layers)), end)


@dataclass(frozen=True)
class Region:
    """A part of the domain in which some neurons have a known sign.

    Attributes:
        rows: Functions of ``(x, 1)`` that are nowhere positive; see `NetworkRegionsCertificate`.
        layer: Number of the layer whose neurons are looked at.
        values: Its pre-activations as functions; behind the last layer, the output.
        active: For the first of them, whether they count as they are, or as 0.
    """

    rows: list[Row]
    layer: int
    values: list[Row]
    active: tuple[bool, ...] = field(default=())

    def signed(self, active: bool) -> Region:
        """Return the region with the next neuron's sign known from elsewhere."""
        return replace(self, active=(*self.active, active))

    def cut(self, active: bool) -> Region:
        """Return the side on which the next neuron is active, or not, border included."""
        row = self.values[len(self.active)]
        own = [-v for v in row] if active else row
        return replace(self.signed(active), rows=[*self.rows, own])

    def behind(self, chain: Chain) -> Region:
        """Return the region as the next layer sees it, once all signs of this one are known."""
        zero = [flint.fmpq(0)] * (chain.n + 1)
        after = [row if on else zero for row, on in zip(self.values, self.active, strict=True)]
        following = chain.last if self.layer + 1 == len(chain.hidden) else chain.hidden[self.layer + 1]
        if following is not None:
            constant = [*zero[:-1], flint.fmpq(1)]
            after = (following * stacked([*after, constant], chain.n + 1)).tolist()
        return Region(self.rows, self.layer + 1, after)


def start(chain: Chain, domain: DomainRecord) -> Region:
    """Return the whole domain."""
    G, h = domain.inequalities()
    rows = [rational([*g, -v]) for g, v in zip(G.tolist(), h.tolist(), strict=True)]
    beyond = rational([0.0] * chain.n + [-1.0])
    return Region([*rows, beyond], 0, chain.hidden[0].tolist())


def verify_network_regions(
    certificate: NetworkRegionsCertificate, layers: list[LayerRecord], last: LayerRecord | None
) -> Proved:
    """Replay the tree of linear regions, and check every pair of them.

    Raises:
        NotProvedError: If the proof does not hold; the message says where.
    """
    chain = Chain.of(layers, last)
    first = start(chain, certificate.domain)
    tree = _Stream("tree", certificate.tree.tolist())
    regions = list(_replayed(chain, first, tree))
    tree.end()
    pairs = _Stream("pairs", certificate.pairs.tolist())
    beyond = len(first.rows) - 1
    for r, one in enumerate(regions):
        for s in range(r, len(regions)):
            _check_pair(f"regions {r} and {s}", one, regions[s], beyond, pairs)
    pairs.end()
    reason = f"in all pairs of {len(regions)} linear regions, inputs with the same output are the same"
    return Proved(exact=True, reason=reason)


class _Stream:
    """Whole numbers that are read one after another."""

    def __init__(self, name: str, numbers: list[int]) -> None:
        self._name, self._numbers, self.position = name, numbers, 0

    def take(self, count: int = 1) -> list[int]:
        """Return the next numbers."""
        require(
            0 <= count <= len(self._numbers) - self.position,
            f"{self._name}: it ends before the proof does",
        )
        self.position += count
        return self._numbers[self.position - count : self.position]

    def end(self) -> None:
        """Refuse numbers that are left over."""
        require(self.position == len(self._numbers), f"{self._name}: it goes on behind the proof")

    def where(self) -> str:
        """Return the place of what was read last."""
        return f"{self._name} before position {self.position}"


def _replayed(chain: Chain, first: Region, tree: _Stream) -> Iterator[Region]:
    """Yield the regions, on each of which the whole chain is affine."""
    open_regions = [first]
    while open_regions:
        region = open_regions.pop()
        if region.layer == len(chain.hidden):
            yield region
        elif len(region.active) == len(region.values):
            open_regions.append(region.behind(chain))
        elif not any(region.values[len(region.active)]):
            open_regions.append(region.signed(False))
        else:
            token = tree.take()[0]
            if token == 0:
                open_regions += [region.cut(True), region.cut(False)]
            else:
                _check_sign(region, token > 0, tree.take(abs(token)), tree)
                open_regions.append(region.signed(token > 0))


def _check_sign(region: Region, active: bool, numbers: list[int], tree: _Stream) -> None:
    """Check that the next neuron is nowhere negative, or nowhere positive, on a region."""
    row = region.values[len(region.active)]
    chosen = _chosen(region.rows, numbers, tree)
    own = row if active else [-v for v in row]
    require(is_circuit([own, *chosen], len(row)), f"{tree.where()}: no circuit that fixes the sign")


def _chosen(rows: list[Row], numbers: list[int], stream: _Stream) -> list[Row]:
    if not all(0 <= number < len(rows) for number in numbers):
        raise NotProvedError(f"{stream.where()}: a row does not exist")
    return [rows[number] for number in numbers]


def _check_pair(name: str, one: Region, two: Region, beyond: int, pairs: _Stream) -> None:
    """Check that inputs of two regions with the same output are the same."""
    rows, equations = joint(one, two)
    width = len(rows[0])
    seen = kernel(stacked(equations, width))
    reduced = (stacked(rows, width) * seen).tolist()
    used: set[int] = set()
    for _ in range(pairs.take()[0]):
        numbers = pairs.take(pairs.take()[0])
        chosen = _chosen(reduced, numbers, pairs)
        require(is_circuit(chosen, seen.ncols()), f"{pairs.where()}: {name}: no circuit")
        used.update(numbers)
    if beyond not in used:
        flat = kernel(stacked([*equations, *(rows[k] for k in sorted(used))], width))
        require(is_diagonal(flat), f"{name}: different inputs with the same output are not excluded")


def joint(one: Region, two: Region) -> tuple[list[Row], list[Row]]:
    """Return the rows of two regions over ``(x, x', 1)``, and what is 0 where the outputs are the same."""
    zero = [flint.fmpq(0)] * (len(one.rows[0]) - 1)
    rows = [[*row[:-1], *zero, row[-1]] for row in one.rows]
    rows += [[*zero, *row] for row in two.rows]
    equations = [
        [*a[:-1], *(-v for v in b[:-1]), a[-1] - b[-1]] for a, b in zip(one.values, two.values, strict=True)
    ]
    return rows, equations


def is_diagonal(flat: flint.fmpq_mat) -> bool:
    """Say whether ``x = x'`` for all vectors ``(x, x', s)`` in the span of some columns."""
    table, n = flat.tolist(), flat.nrows() // 2
    return table[:n] == table[n : 2 * n]
