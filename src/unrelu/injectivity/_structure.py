"""Answers that follow from a layer's structure (Puthawala et al. 2022, domain decomposition)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from unrelu.certificates import (
    Block,
    DomainRecord,
    InjectivityCertificate,
    LayerRecord,
    StructureCertificate,
    WitnessCertificate,
    verify,
)
from unrelu.certificates.injective import (
    always_active,
    bounds,
    box_around,
    certify_witness,
    exact_vector,
    part_of,
)
from unrelu.domains import Polytope
from unrelu.errors import ArgumentError
from unrelu.frames import DenseFrame, Frame, SparseFrame
from unrelu.injectivity._blocks import Place, components, restricted, windows
from unrelu.injectivity._faces import always_on_polytope
from unrelu.injectivity._far_points import far_points
from unrelu.injectivity._lines import opposite_pairs
from unrelu.injectivity._mirrored import decide_by_mirrored_rows, dominant_blocks
from unrelu.injectivity.witness import inner_point

Answer: TypeAlias = StructureCertificate | WitnessCertificate
Prove: TypeAlias = Callable[[LayerRecord, DomainRecord], InjectivityCertificate | WitnessCertificate | None]

_DENSE_COLUMNS = 400
_LARGE = 1000  # columns beyond which the rank of all rows together takes long


def decide_by_structure(
    layer: LayerRecord, domain: DomainRecord, prove: Prove | None = None
) -> Answer | None:
    """Decide a layer that is simple, or falls apart into parts that are.

    Rows that are always active and pairs of opposite rows may span R^n, by their rank or because they are
    block diagonally dominant; rank or number of the rows may be too
    small; connected components of rows and columns are decided one by one, and so are the windows of sparse
    rows such as a convolution's.

    Args:
        layer: The layer.
        domain: The domain.
        prove: Decides a part with fewer columns than the layer, or says ``None``; nothing is asked of it
            where that is ``None`` itself.

    Returns:
        A certificate that has been verified, ``None`` where structure does not tell.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, verify
        >>> from unrelu.injectivity._structure import decide_by_structure
        >>> layer = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.array([-1.0, 1.0]))
        >>> verify(decide_by_structure(layer, DomainRecord("space", 1))).statement
        'relu(W x + b) is injective on R^1'
    """
    inside = interior_point(domain)
    if layer.m < layer.n and inside is not None:
        return certify_witness(layer, domain, inside)
    found: Answer | None = decide_by_mirrored_rows(layer, domain)
    if found is None:
        found = _simple(layer, domain, inside) if layer.n <= _LARGE else _few_active(layer, domain)
    if found is not None or inside is None or domain.kind == "polytope":
        return found
    places = components(layer)
    parts = _Parts(layer, domain)
    undecided = False
    known: dict[tuple[object, ...], Answer | InjectivityCertificate | None] = {}
    for place in places:
        sub, space = _part(layer, domain, place)
        key = _key(sub, space)
        if key not in known:
            known[key] = _by_parts(sub, space, prove)
            if known[key] is None and prove is not None and len(places) > 1:
                known[key] = prove(sub, space)
        answer = known[key]
        if isinstance(answer, WitnessCertificate):
            return _embedded(layer, domain, place, answer)
        undecided |= answer is None
        parts.add(place, answer)
    return None if undecided else parts.certificate()


def _by_parts(layer: LayerRecord, domain: DomainRecord, prove: Prove | None) -> Answer | None:
    """Decide a component: what is quick comes first, which for a large one are its windows."""
    if layer.n > _LARGE:
        return _by_windows(layer, domain, prove) or _simple(layer, domain, interior_point(domain))
    return _simple(layer, domain, interior_point(domain)) or _by_windows(layer, domain, prove)


def interior_point(domain: DomainRecord) -> np.ndarray | None:
    """Return a point inside of a domain, in Fractions if need be.

    ``None`` where there is none, or where floating point finds none of a polytope.
    """
    if domain.matrix is not None:
        try:
            return inner_point(Polytope(domain.matrix, domain.offsets), domain.n)
        except ArgumentError:
            return None
    if domain.center is not None:
        return domain.center.copy()
    known = bounds(domain)
    if known is None:
        return None
    lower, upper = known
    low = np.where(np.isfinite(lower), lower, np.where(np.isfinite(upper), upper - 2.0, -1.0))
    high = np.where(np.isfinite(upper), upper, low + 2.0)
    middle = low / 2 + high / 2
    if ((lower < middle) & (middle < upper)).all():
        return middle
    exact = (exact_vector(low) + exact_vector(high)) / 2
    return exact if (lower < upper).all() and (low < high).all() else None


def _simple(layer: LayerRecord, domain: DomainRecord, inside: np.ndarray | None) -> Answer | None:
    """Answer by single rows and pairs, by the rank, or by points far out."""
    frame = _frame(layer)
    parts = _Parts(layer, domain)
    parts.add_lines(frame, inside)
    found = parts.certificate()
    if found is not None:
        return found
    if inside is not None and frame.rank_bounds(np.arange(layer.m))[1] < layer.n:
        witness = certify_witness(layer, domain, inside)
        if witness is not None:
            return witness
    return _few_active(layer, domain, frame)


def _few_active(layer: LayerRecord, domain: DomainRecord, frame: Frame | None = None) -> Answer | None:
    """Answer by points far out."""
    if domain.kind == "space":
        for x in far_points(layer, frame or _frame(layer)):
            witness = certify_witness(layer, domain, x)
            if witness is not None:
                return witness
    return None


def _frame(layer: LayerRecord) -> Frame:
    matrix = sp.csr_array((layer.values, layer.columns, layer.starts), (layer.m, layer.n))
    if layer.n > _DENSE_COLUMNS and 4 * matrix.nnz < layer.m * layer.n:
        return SparseFrame(matrix)
    return DenseFrame(matrix.toarray())


def _part(layer: LayerRecord, domain: DomainRecord, place: Place) -> tuple[LayerRecord, DomainRecord]:
    space = restricted(domain, place.columns)
    return part_of(layer, *place), domain if space is None else space


def _by_windows(layer: LayerRecord, domain: DomainRecord, prove: Prove | None) -> StructureCertificate | None:
    """Prove injectivity of windows until their columns, rows always active and opposite pairs cover all."""
    known: dict[tuple[object, ...], Answer | InjectivityCertificate | None] = {}
    frame = _frame(layer)
    for places in windows(layer):
        parts = _Parts(layer, domain)
        covered = np.zeros(layer.n, dtype=bool)
        for place in [*_apart(places, layer.n), *places]:
            if covered[place.columns].all():
                continue
            sub, space = _part(layer, domain, place)
            key = _key(sub, space)
            if key not in known:
                simple = _simple(sub, space, interior_point(space))
                known[key] = simple or (None if prove is None else prove(sub, space))
            answer = known[key]
            if answer is not None and not isinstance(answer, WitnessCertificate):
                parts.add(place, answer, whole=True)
                covered[place.columns] = True
        if not covered.all():
            parts.add_lines(frame, None)
        found = parts.certificate() if covered.any() else None
        if found is not None:
            return found
    return None


def _apart(places: list[Place], n: int) -> list[Place]:
    """Return places that have no column in common."""
    taken, out = np.zeros(n, dtype=bool), []
    for place in places:
        if not taken[place.columns].any():
            taken[place.columns] = True
            out.append(place)
    return out


def _key(layer: LayerRecord, domain: DomainRecord) -> tuple[object, ...]:
    return layer.sha256, domain.kind, *(bound.tobytes() for bound in box_around(domain) or ())


def _embedded(
    layer: LayerRecord, domain: DomainRecord, place: Place, witness: WitnessCertificate
) -> WitnessCertificate | None:
    """Return a block's witness as one of the whole layer."""
    sub, space = _part(layer, domain, place)
    directed = (
        witness if witness.direction is not None else certify_witness(sub, space, witness.x, directed=True)
    )
    inside = interior_point(domain)
    if directed is None or directed.direction is None or inside is None:
        return None
    x, direction = (
        inside.astype(np.result_type(inside, directed.x)),
        np.zeros(layer.n, dtype=directed.direction.dtype),
    )
    x[place.columns], direction[place.columns] = directed.x, directed.direction
    found = WitnessCertificate(layer, domain, x, direction)
    return found if verify(found).valid else None


class _Parts:
    """What has been proved of parts of a layer, and the certificate that it makes."""

    def __init__(self, layer: LayerRecord, domain: DomainRecord) -> None:
        self._layer, self._domain = layer, domain
        self._pairs: list[np.ndarray] = [np.zeros((0, 2), dtype=np.int64)]
        self._always: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
        self._faces: dict[int, np.ndarray] = {}
        self._blocks: dict[
            tuple[object, ...], tuple[InjectivityCertificate | StructureCertificate, list[Place]]
        ] = {}

    def add_lines(self, frame: Frame, inside: np.ndarray | None) -> None:
        """Take the rows that are always active, and opposite pairs on other lines."""
        if self._domain.kind == "polytope" and inside is not None:
            self._faces = always_on_polytope(self._layer, self._domain, frame, inside)
            active = np.array(sorted(self._faces), dtype=np.int64)
        else:
            active = always_active(self._layer, self._domain)
        always = frame.directions.one_per_line(active)
        lines = set(frame.directions.line[always].tolist())
        pairs = opposite_pairs(self._layer, frame.directions)
        left = [pair for pair in pairs if int(frame.directions.line[pair[0]]) not in lines]
        self._always.append(always)
        self._pairs.append(np.array(left, dtype=np.int64).reshape(-1, 2))

    def add(
        self, place: Place, answer: Answer | InjectivityCertificate | None, *, whole: bool = False
    ) -> None:
        """Take what has been proved of a part, maybe its structure as a whole."""
        if isinstance(answer, InjectivityCertificate) or (
            whole and isinstance(answer, StructureCertificate) and not answer.blocks
        ):
            key = (answer.layer.sha256, id(answer))
            self._blocks.setdefault(key, (answer, []))[1].append(place)
        elif isinstance(answer, StructureCertificate):
            self._pairs.append(place.rows[answer.pairs])
            self._always.append(place.rows[answer.always])
            for block in answer.blocks:
                for rows, columns in zip(block.rows, block.columns, strict=True):
                    self.add(Place(place.rows[rows], place.columns[columns]), block.proof, whole=True)

    def certificate(self) -> StructureCertificate | None:
        """Return the certificate, ``None`` if the parts do not span R^n."""
        left = np.ones(self._layer.n, dtype=bool)
        for _, places in self._blocks.values():
            for place in places:
                left[place.columns] = False
        # Lines count where blocks leave something.
        entries = np.concatenate([[0], np.cumsum(left[self._layer.columns])])
        useful = entries[self._layer.starts[1:]] > entries[self._layer.starts[:-1]]
        pairs, always = np.concatenate(self._pairs), np.concatenate(self._always)
        pairs, always = pairs[useful[pairs[:, 0]]], always[useful[always]]
        if len(pairs) + len(always) < left.sum():
            return None
        blocks = tuple(
            Block(proof, np.array([p.rows for p in places]), np.array([p.columns for p in places]))
            for proof, places in self._blocks.values()
        )
        faces = tuple(self._faces[i] for i in always.tolist()) if self._domain.kind == "polytope" else None
        lines = self._layer.rows.take(np.concatenate([pairs[:, 0], always])).within(np.flatnonzero(left))
        parts = pairs, always, blocks, faces, dominant_blocks(lines)
        found = StructureCertificate(self._layer, self._domain, *parts)
        return found if verify(found).valid else None
