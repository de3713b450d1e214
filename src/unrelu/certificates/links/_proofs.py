"""What proves that a link is injective; each kind names the rule that shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._fields import Fields, refuse
from unrelu.certificates._injectivity import GRADES
from unrelu.certificates._network_certificates import LAYER_PROOFS, LayerProof, read_layer_proof
from unrelu.certificates._packing import pack, small, unpack
from unrelu.certificates.links._fields import link_fields, read_link
from unrelu.certificates.links._record import LinkRecord, LinkReference

GIVEN = ("nothing", "means", "statistics")


@dataclass(frozen=True, eq=False)
class LinkProof(ABC):
    """A link is injective on R^n, or on the domain that is named.

    Attributes:
        form: What ``"kind"`` is in JSON.
        link: The link.
    """

    form: ClassVar[str]

    link: LinkRecord | LinkReference

    @property
    def domain(self) -> DomainRecord | None:
        """Where it is injective; ``None`` for all of R^n."""
        return None

    @property
    def grade(self) -> str:
        """How strong the proof is if no number is rounded."""
        return GRADES[0]

    @abstractmethod
    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned."""


@dataclass(frozen=True, eq=False)
class AloneProof(LinkProof):
    """What the last step reads of ``u`` alone is enough, whatever the rest computes.

    The rows of the last step that read ``u`` and nothing else are a map of ``u`` alone. If the step is
    affine, or a function of entries that ascends strictly, their rank is n. If it ends in a ReLU, they are a
    ReLU layer that is injective. An affine map is the case in which all rows are such.

    Attributes:
        proof: That the layer of these rows, `layer_alone`, is injective, on its domain. ``None``: the step
            has no ReLU, and the rank is to be computed.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import AloneProof, LayerRecord, LinkRecord, LinkStep, check_link
        >>> unknown = LinkStep.opaque("g", "g", (0,), n=2, m=1)
        >>> rows = LayerRecord.dense(
        ...     np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.zeros(3)
        ... )
        >>> link = LinkRecord(2, (unknown, LinkStep("affine", (0, 1), rows)))
        >>> check_link(AloneProof(link), link)
        'affine maps of full rank'
    """

    form: ClassVar[str] = "alone"

    proof: LayerProof | None = None

    @property
    def domain(self) -> DomainRecord | None:
        """The domain of the layer's proof."""
        return None if self.proof is None else self.proof.domain

    @property
    def grade(self) -> str:
        """The grade of the layer's proof."""
        return GRADES[0] if self.proof is None else self.proof.grade

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        proof = self.proof
        held = None if proof is None else {"kind": proof.form, **proof.to_fields(False)}
        return {"link": link_fields(self.link, rows), "proof": held}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        link = read_link(fields.child("link"))
        proof = None if fields.skip_null("proof") else read_layer_proof(fields.child("proof"))
        return cls(link, proof)


@dataclass(frozen=True, eq=False)
class ContractionProof(LinkProof):
    """``A_0 u + sum of A_k z_k + c`` whose ``z_k`` change less than ``u`` (Behrmann et al. 2019, i-ResNet).

    Let ``L`` be Lipschitz constants of the activations: 1 of ``u``, and at most ``sum of ||A_j|| L(z_j)`` of
    ``relu(sum of A_j z_j + c)``, of maxima over groups of its entries if every entry counts as often as it is
    in a group, and times that of a function of entries. With any matrix ``R``

        ||I - R A_0|| + sum of ||R A_k|| L(z_k) < 1        (spectral norms)

    shows that equal outputs have equal inputs: their difference is ``d = (I - R A_0) d - sum of R A_k dz_k``.
    Norms are bounded by those of blocks (Schur): the largest sum of them in a block row times that in a block
    column is at least the square of the norm. ``R`` has the blocks of the diagonal only, and what they are
    does not matter: floating point finds them, and what they show is checked with all rounding errors.

    Attributes:
        blocks: For ``u`` and then for every step's result, the block of each entry, int64, numbered from 0;
            blocks of ``u`` and of the last step's result that have the same number belong together. ``None``:
            every activation is one block.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import ContractionProof, LayerRecord, LinkRecord, LinkStep, check_link
        >>> inner = LayerRecord.dense(np.array([[0.5, 0.5]]), np.zeros(1))
        >>> outer = LayerRecord.dense(np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), np.zeros(2))
        >>> link = LinkRecord(2, (LinkStep("relu", (0,), inner), LinkStep("affine", (0, 1), outer)))
        >>> check_link(ContractionProof(link), link)
        'contractions'
    """

    form: ClassVar[str] = "contraction"

    blocks: tuple[np.ndarray, ...] | None = None

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        blocks = self.blocks
        held = (
            None
            if blocks is None
            else {"sizes": [len(part) for part in blocks], "labels": pack(*map(small, blocks))}
        )
        return {"link": link_fields(self.link, rows), "blocks": held}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        link = read_link(fields.child("link"))
        return cls(link, None if fields.skip_null("blocks") else _read_blocks(fields.child("blocks")))


@dataclass(frozen=True, eq=False)
class MaximaProof(LinkProof):
    """Maxima beside what tells the entries apart: differences cannot hide behind them.

    Of two inputs with the same output let ``d`` be the difference, and ``mu_k`` that of the maximum of the
    affine functions ``l_i(u) + c_i``, ``i`` in group ``k``: it lies between the least and the largest of the
    ``l_i(d)``. The rows of the affine last step that read ``u`` and maxima only vanish at ``(d, mu)``. The
    unknowns fall apart into components, connected by these rows and the groups. A component is 0 if its rows
    leave nothing else, or if they leave the multiples of one vector, at which some ``mu_k`` lies outside of
    the range of its ``l_i``.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, LinkRecord, LinkStep, MaximaProof, check_link
        >>> moved = LayerRecord.dense(np.eye(2), np.zeros(2))
        >>> largest = LinkStep("maximum", (0,), moved, groups=np.array([[0, 1]]))
        >>> rows = LayerRecord.dense(np.array([[0.0, 0.0, 1.0], [1.0, -1.0, 0.0]]), np.zeros(2))
        >>> link = LinkRecord(2, (largest, LinkStep("affine", (0, 1), rows)))
        >>> check_link(MaximaProof(link), link)
        'maxima beside differences'
    """

    form: ClassVar[str] = "maxima"

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {"link": link_fields(self.link, rows)}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        return cls(read_link(fields.child("link")))


@dataclass(frozen=True, eq=False)
class NormalisationProof(LinkProof):
    """A normalisation forgets the means of its groups only (Puthawala et al. 2022, Definition 3).

    Step ``k`` is ``z = (x - mean) / sqrt(var + eps) * gain + offset`` with ``x = Z u + c``, no gain 0, and
    ``eps > 0``. The mean square of ``(z - offset) / gain`` over a group is ``var / (var + eps)``, which
    ascends strictly in ``var``: ``z`` tells ``var``, and with it ``x - mean``. The last step is this one, or
    affine with rows that read ``z`` only and have full rank on it; its rows ``L`` that read ``u`` only then
    tell ``u`` if ``L`` and the differences of the rows of ``Z`` within each group together have rank n. If
    the means are given, ``L`` and ``Z`` together do. Without centring there are no means, and
    ``x^2 / (x^2 + eps)`` takes the place: ``L`` and ``Z`` with rank n are enough.

    With ``eps = 0`` the same holds wherever the function is defined if mean and scale are given.

    Attributes:
        step: Number of the normalisation among the link's steps, from 1.
        given: ``"nothing"``, ``"means"``, or ``"statistics"``: means and scales. Two inputs then differ in
            the output or in what is given.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, LinkRecord, LinkStep, NormalisationProof, NormRecord
        >>> from unrelu.certificates import check_link
        >>> norm = NormRecord(np.ones(3), np.zeros(3), count=3, eps=1e-5)
        >>> step = LinkStep("normalised", (0,), LayerRecord.dense(np.eye(3), np.zeros(3)), norm=norm)
        >>> link = LinkRecord(3, (step,))
        >>> check_link(NormalisationProof(link, given="means"), link)
        'normalisations with means given'
    """

    form: ClassVar[str] = "normalisation"

    step: int = 1
    given: str = GIVEN[0]

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {"link": link_fields(self.link, rows), "step": self.step, "given": self.given}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        link = read_link(fields.child("link"))
        return cls(link, fields.whole("step", 1, len(link.nodes)), fields.choice("given", GIVEN))


Proof: TypeAlias = LayerProof | LinkProof

_READERS: dict[str, Callable[[Fields], Proof]] = {
    **{form: kind.read for form, kind in LAYER_PROOFS.items()},
    **{kind.form: kind.read for kind in (AloneProof, ContractionProof, MaximaProof, NormalisationProof)},
}


def read_proof(fields: Fields) -> Proof:
    """Read the proof of one link or ReLU layer.

    Raises:
        ArgumentError: If a field is not as expected.
    """
    found = _READERS[fields.choice("kind", tuple(_READERS))](fields)
    fields.end()
    return found


def _read_blocks(fields: Fields) -> tuple[np.ndarray, ...]:
    entries = fields.entries("sizes")
    sizes = [Fields({"size": v}, fields.name("sizes")).whole("size") for v in entries]
    if not sizes:
        refuse(fields.name("sizes"), "one for each activation", "none")
    labels = unpack(fields.text("labels"), fields.name("labels"), [("<i4", size) for size in sizes])
    fields.end()
    return tuple(part.astype(np.int64) for part in labels)
