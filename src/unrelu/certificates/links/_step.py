"""One activation computed inside a link of a network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unrelu.certificates._fields import refuse, vector
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates.links._entrywise import EntryFunction

STEPS = ("affine", "relu", "maximum", "normalised", "entrywise", "opaque")


@dataclass(frozen=True)
class StepReference:
    """A step that a certificate names without holding its numbers.

    Attributes:
        kind: As of a `LinkStep`.
        inputs: Likewise.
        node: Name of its node in the model.
        sha256: Digest of everything but names.
    """

    kind: str
    inputs: tuple[int, ...]
    node: str
    sha256: str


@dataclass(frozen=True, eq=False)
class NormRecord:
    """A normalisation by groups of entries that share statistics: ``(x - mean) / sqrt(var + eps)``.

    Without centring ``x / sqrt(mean of x^2 + eps)``. Behind it every entry is multiplied by a gain, and an
    offset is added.

    Attributes:
        gain: One factor an entry, float64, shape ``(m,)``.
        offset: Likewise.
        count: How many entries, one behind the other, share their statistics; it divides ``m``.
        eps: At least 0.
        centred: Whether the mean is subtracted, and ``var`` is the mean square of what is left.

    Raises:
        ArgumentError: If the numbers do not fit each other, or are not finite.

    Example:
        >>> from unrelu.certificates import NormRecord
        >>> NormRecord([1.0, 2.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], count=2, eps=1e-5).groups
        2
    """

    gain: np.ndarray
    offset: np.ndarray
    count: int
    eps: float
    centred: bool = True

    def __post_init__(self) -> None:
        gain = vector(self.gain, "gain")
        offset = vector(self.offset, "offset", len(gain))
        if self.count < 1 or len(gain) % self.count:
            refuse("count", f"a divisor of {len(gain)}", f"{self.count}")
        if not 0 <= self.eps < np.inf:
            refuse("eps", "a finite number of at least 0", f"{self.eps}")
        for name, array in (("gain", gain), ("offset", offset)):
            object.__setattr__(self, name, array)

    @property
    def groups(self) -> int:
        """Number of groups of entries."""
        return len(self.gain) // self.count

    @cached_property
    def sha256(self) -> str:
        """Digest of all numbers."""
        digest = hashlib.sha256(np.array([len(self.gain), self.count, self.centred], "<i8").tobytes())
        for numbers in (np.array([self.eps]), self.gain, self.offset):
            digest.update((numbers + 0.0).astype("<f8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class LinkStep:
    """One activation: a function of ``W z + b``, where ``z`` are earlier ones, one behind the other.

    Attributes:
        kind: ``"affine"``: ``W z + b``. ``"relu"``: ``relu(W z + b)``. ``"maximum"``: maxima over groups of
            entries of it. ``"normalised"``: a normalisation of it. ``"entrywise"``: a known function of its
            entries. ``"opaque"``: any function of ``z`` whatever; ``W`` and ``b`` are 0, as many rows as it
            has entries.
        inputs: What makes ``z``, each once: 0 is what the link reads, ``k`` the result of step ``k``, from 1.
        map: ``W`` and ``b``, with the name of the step and of its node.
        groups: Of maxima: the entries of ``W z + b`` of which each result is the largest, int64, shape
            ``(count, size)``, ascending in each row.
        norm: Of a normalisation.
        function: Of a function of entries.

    Raises:
        ArgumentError: If a field does not fit the kind, or a number is out of range.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, LinkStep
        >>> moved = LayerRecord.dense(np.eye(4), np.zeros(4), name="pool", node="pool")
        >>> LinkStep("maximum", (0,), moved, groups=np.array([[0, 1], [2, 3]])).size
        2
    """

    kind: str
    inputs: tuple[int, ...]
    map: LayerRecord
    groups: np.ndarray | None = None
    norm: NormRecord | None = None
    function: EntryFunction | None = None

    def __post_init__(self) -> None:
        if self.kind not in STEPS:
            refuse("kind", f"one of {', '.join(STEPS)}", repr(self.kind))
        if not self.inputs or len(set(self.inputs)) < len(self.inputs) or min(self.inputs) < 0:
            refuse("inputs", "numbers of earlier activations, each once", f"{self.inputs}")
        for name, kind in (("groups", "maximum"), ("norm", "normalised"), ("function", "entrywise")):
            if (getattr(self, name) is not None) != (self.kind == kind):
                refuse(name, f"one for {kind!r} and for nothing else", f"a step of kind {self.kind!r}")
        if self.norm is not None and len(self.norm.gain) != self.map.m:
            refuse("norm", f"{self.map.m} entries", f"{len(self.norm.gain)}")
        if self.kind == "opaque" and (len(self.map.values) or self.map.bias.any()):
            refuse("map", "zeros, for nothing is known of an opaque function", "other numbers")
        if self.groups is not None:
            object.__setattr__(self, "groups", self._checked(self.groups))

    @classmethod
    def opaque(cls, name: str, node: str, inputs: tuple[int, ...], n: int, m: int) -> LinkStep:
        """Return a step of which nothing is known but its size.

        Args:
            name: Its name.
            node: Name of its node in the model.
            inputs: What it reads.
            n: Number of entries that it reads.
            m: Number of entries that it has.
        """
        none = np.zeros(0)
        return cls("opaque", inputs, LayerRecord(name, node, n, np.zeros(m + 1), none, none, np.zeros(m)))

    @property
    def size(self) -> int:
        """Number of entries of the result."""
        return self.map.m if self.groups is None else len(self.groups)

    @cached_property
    def sha256(self) -> str:
        """Digest of everything but names."""
        return step_digest(self.kind, self.inputs, self.map.sha256, self.groups, self.norm, self.function)

    @property
    def reference(self) -> StepReference:
        """What identifies the step, without its numbers."""
        return StepReference(self.kind, self.inputs, self.map.node, self.sha256)

    def _checked(self, groups: np.ndarray) -> np.ndarray:
        out = np.sort(np.array(groups, dtype=np.int64))
        if out.ndim != 2 or not out.size or ((out < 0) | (out >= self.map.m)).any():
            refuse("groups", f"entries below {self.map.m}, shape (count, size)", f"shape {out.shape}")
        out.flags.writeable = False
        return out


def step_digest(
    kind: str,
    inputs: tuple[int, ...],
    map_sha256: str,
    groups: np.ndarray | None = None,
    norm: NormRecord | None = None,
    function: EntryFunction | None = None,
) -> str:
    """Return the digest of a step from that of its map."""
    digest = hashlib.sha256(np.array([STEPS.index(kind), len(inputs), *inputs], "<i8").tobytes())
    digest.update(map_sha256.encode("ascii"))
    if groups is not None:
        digest.update(np.array(groups.shape, "<i8").tobytes())
        digest.update(groups.astype("<i8").tobytes())
    if norm is not None:
        digest.update(norm.sha256.encode("ascii"))
    if function is not None:
        digest.update(f"{function.name} {function.parameter}".encode("ascii"))
    return digest.hexdigest()
