"""Injectivity of one layer: structure first, then a witness, then the search tree."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import (
    DomainRecord,
    InjectivityCertificate,
    StructureCertificate,
    WitnessCertificate,
)
from unrelu.certificates.injective import box_around, certify_witness
from unrelu.domains import Ball, Domain, Space
from unrelu.errors import ArgumentError
from unrelu.frames import frame_of
from unrelu.frames._signs import in_double
from unrelu.injectivity._collision import collision_at
from unrelu.injectivity._scaled import scaled_rows
from unrelu.injectivity._structure import decide_by_structure
from unrelu.injectivity._verdict import Decision, Verdict
from unrelu.injectivity.rational import decide_exactly, point_off_flat
from unrelu.injectivity.search import search
from unrelu.injectivity.witness import find_witness, inner_point

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.injectivity._verdict import Proof
    from unrelu.layers import ReLULayer

_TREE_FIRST = 12  # columns up to which the tree is so fast that nothing else is tried before it
_TREE_COLUMNS = 64  # beyond which a tree has no hope
_TREE_ENTRIES = 1 << 22
_REFUTABLE = 8.0  # redundancy above which a witness is unlikely (Maillard et al. 2023: 6.7 for Gaussian rows)


@dataclass(frozen=True)
class Options:
    """How to decide.

    Attributes:
        time_limit: Seconds for a layer.
        general_position: Whether any n rows may be taken to be linearly independent; ``None``: only where
            there is no time for a proof without.
        n_jobs: Threads, as in joblib.
        seed: Of random numbers.
        progress: Whether to show progress.
    """

    time_limit: float
    general_position: bool | None
    n_jobs: int
    seed: int
    progress: bool


def decide_layer(layer: ReLULayer, domain: Domain, options: Options) -> Decision:
    """Decide one layer on a convex domain; Ctrl-C leaves it open.

    Raises:
        ArgumentError: If the domain has no inner points and structure does not tell, or does not fit.
    """
    start = time.monotonic()
    try:
        # Floating point only proposes: what overflows is found out by the exact checks.
        with np.errstate(all="ignore"):
            decision = _Question(layer, domain, options).answer()
    except KeyboardInterrupt:
        decision = Decision(Verdict.UNKNOWN, "interrupted", interrupted=True)
    return replace(decision, seconds=time.monotonic() - start)


def try_layer(layer: ReLULayer, domain: Domain, options: Options) -> Decision:
    """Decide a layer as `decide_layer` does; one that is too large to hold is open, and says so."""
    try:
        return decide_layer(layer, domain, options)
    except ArgumentError as error:
        return Decision(Verdict.UNKNOWN, str(error))


def prove_layer(
    layer: LayerRecord, domain: Domain, options: Options
) -> InjectivityCertificate | StructureCertificate | None:
    """Prove that a layer is injective of which there are numbers only; Ctrl-C is not caught.

    Args:
        layer: The layer.
        domain: A convex domain.
        options: How to decide.

    Returns:
        The certificate, ``None`` where structure and the search tree find none in time.
    """
    known, parts = domain_record(domain, layer.n), _Parts(options)
    with np.errstate(all="ignore"):
        found = decide_by_structure(layer, known, parts.decide) or parts.decide(layer, known)
    return None if isinstance(found, WitnessCertificate) else found


class _Parts:
    """Decides parts of a layer in the time for the layer."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.deadline = time.monotonic() + options.time_limit

    @property
    def left(self) -> float:
        """Seconds that are left, at least a little."""
        return max(self.deadline - time.monotonic(), 1e-3)

    def decide(
        self, layer: LayerRecord, domain: DomainRecord
    ) -> InjectivityCertificate | WitnessCertificate | None:
        """Decide a part of the layer, with a tenth of the time."""
        late = time.monotonic() > self.deadline
        if late or layer.n > _TREE_COLUMNS or layer.m * layer.n > _TREE_ENTRIES:
            return None
        found = _search(layer, domain, self.options, min(self.left, self.options.time_limit / 10))
        return None if isinstance(found, str) else found[0]


class _Question:
    """A layer, a domain and how much time there is."""

    def __init__(self, layer: ReLULayer, domain: Domain, options: Options) -> None:
        self.layer, self.domain, self.options = in_double(layer), domain, options
        self.record = self.layer.record()
        self.known = domain_record(domain, layer.n)
        self.frame = frame_of(self.layer)
        self.parts = _Parts(options)

    @property
    def left(self) -> float:
        """Seconds that are left, at least a little."""
        return self.parts.left

    def answer(self) -> Decision:
        """Answer by what is cheap first."""
        proof = decide_by_structure(self.record, self.known, self.parts.decide)
        if isinstance(proof, StructureCertificate):
            return self._decision(Verdict.INJECTIVE, _structure_reason(proof), proof)
        if proof is not None:
            return self._refutation(proof)
        inner_point(self.domain, self.layer.n)
        n, m = self.layer.n, self.layer.m
        tree = n <= _TREE_COLUMNS and m * n <= _TREE_ENTRIES
        few = m <= _REFUTABLE * n
        if tree and n > _TREE_FIRST and few:
            found = self._by_witness(self.left / 4)
            if found is not None:
                return found
        decision = self._by_tree() if tree else None
        if decision is not None and decision.verdict != Verdict.UNKNOWN:
            return decision
        reason = "" if decision is None else decision.reason
        found = self._by_witness(self.left) if few or not (tree or m * n > _TREE_ENTRIES) else None
        return found or Decision(Verdict.UNKNOWN, _unknown_reason(reason, n))

    def refuted(self, x: np.ndarray) -> Decision | None:
        """Return the refutation by a point, if it is one."""
        proof = certify_witness(self.record, self.known, x)
        return None if proof is None else self._refutation(proof)

    def _by_witness(self, seconds: float) -> Decision | None:
        options = self.options
        try:
            found = find_witness(
                self.layer, self.domain, time_limit=seconds, seed=options.seed, progress=options.progress
            )
        except ArgumentError:  # the domain has no inner point, or the layer is too large to hold
            return None
        return self.refuted(found.x) if found.found and found.x is not None else None

    def _by_tree(self) -> Decision:
        """Search the tree, of a ball on the box around it."""
        ball = isinstance(self.domain, Ball)
        found = _search(self.record, self.known, self.options, self.left / 2 if ball else self.left)
        on_box = "on the box around the ball: " if ball else ""
        if isinstance(found, str):
            return Decision(Verdict.UNKNOWN, on_box + found)
        proof, reason = found
        if not isinstance(proof, WitnessCertificate):
            return self._decision(Verdict.INJECTIVE, on_box + reason, proof)
        if ball:
            return self.refuted(proof.x) or Decision(Verdict.UNKNOWN, f"{on_box}not injective")
        return self._refutation(proof)

    def _refutation(self, proof: WitnessCertificate) -> Decision:
        if proof.direction is None:
            reason = f"at the witness rows on fewer than n = {self.layer.n} lines are weakly active"
        else:
            reason = "at the witness a direction is orthogonal to all weakly active rows"
        pair = collision_at(self.layer, self.frame, self.known, proof.x)
        if pair is None:
            reason += "; no two float64 inputs were found that show it"
        return replace(self._decision(Verdict.NOT_INJECTIVE, reason, proof), collision=pair)

    def _decision(self, verdict: Verdict, reason: str, proof: Proof) -> Decision:
        grade = getattr(proof, "grade", "exact") if self.record.exact else "float"
        return Decision(verdict, reason, proof, grade=grade)


def _search(
    layer: LayerRecord, domain: DomainRecord, options: Options, seconds: float
) -> tuple[InjectivityCertificate | WitnessCertificate, str] | str:
    """Search the tree, of a ball on the box around it; return the proof and a sentence, or why there is none.

    Raises:
        KeyboardInterrupt: If Ctrl-C ended the search.
    """
    deadline = time.monotonic() + seconds
    around = box_around(domain)
    if domain.kind == "ball" and around is not None:
        domain = DomainRecord("box", domain.n, *around)
    scaled = scaled_rows(layer, domain)
    found = search(
        scaled.rows[:, :-1],
        scaled.rows[:, -1],
        scaled.faces[:, :-1],
        -scaled.faces[:, -1],
        general_position=options.general_position,
        time_limit=seconds,
        n_jobs=options.n_jobs,
        progress=options.progress,
    )
    if found.interrupted:
        raise KeyboardInterrupt
    if found.x is not None:
        x = scaled.point(found.x)
        proof = certify_witness(layer, domain, x) if np.isfinite(x).all() else None
        if proof is not None:
            return proof, found.reason
    inner = None if found.inner is None else scaled.point(found.inner)
    if found.support_starts is not None and found.support_rows is not None and found.tree is not None:
        arrays = found.support_starts, found.support_rows, found.tree
        return InjectivityCertificate(layer, domain, found.grade, *arrays, inner=inner), found.reason
    answer = _exactly(layer, domain, found.weak, deadline)
    return found.reason if answer is None else (answer, "decided in rational arithmetic")


def _exactly(
    layer: LayerRecord, domain: DomainRecord, flat: np.ndarray | None, deadline: float
) -> InjectivityCertificate | WitnessCertificate | None:
    """Decide what floating point could not, beginning with the flat that it ended at."""
    x = None if flat is None else point_off_flat(layer, domain, flat)
    found = None if x is None else certify_witness(layer, domain, x)
    return found or decide_exactly(layer, domain, deadline)


def _structure_reason(proof: StructureCertificate) -> str:
    """Say what the parts are that span."""
    blocks = sum(len(block.rows) for block in proof.blocks)
    counts = {
        "pairs of opposite rows": len(proof.pairs),
        "rows active on the whole domain": len(proof.always),
        "blocks that are injective by themselves": blocks,
    }
    return "together these span R^n: " + ", ".join(f"{k} {what}" for what, k in counts.items() if k)


def _unknown_reason(tree: str, n: int) -> str:
    if tree:
        return f"search tree: {tree}; no input with too few active rows was found"
    return f"n = {n} is too large for a search tree, and no input with too few active rows was found"


def domain_record(domain: Domain, n: int) -> DomainRecord:
    """Return a convex domain as certificates hold it."""
    if isinstance(domain, Ball):
        return DomainRecord("ball", n, center=domain.center_point(n), radius=domain.radius)
    return domain.record(n)


def check_domain(domain: Domain | None) -> Domain:
    """Return the domain, R^n for ``None``.

    Raises:
        ArgumentError: If it is none, or not convex.
    """
    if domain is None:
        return Space()
    if not isinstance(domain, Domain):
        raise ArgumentError(f"domain: expected a domain such as unrelu.Box(0, 1), got {domain!r}")
    if not domain.convex:
        raise ArgumentError(f"domain: expected a convex set, got {domain!r}")
    return domain
