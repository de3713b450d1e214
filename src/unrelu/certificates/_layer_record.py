"""A layer as plain numbers, with the digest that identifies them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from unrelu.certificates._fields import Fields, refuse, vector
from unrelu.certificates._packing import pack, unpack
from unrelu.certificates._rows import IntegerRows, Rows, integer_rows

_SIZES = ("<i8", "<i4", "<f8", "<f8")  # row pointers, columns, values, bias


@dataclass(frozen=True)
class LayerReference:
    """A layer that a certificate names without holding its numbers.

    Attributes:
        name: Name of the layer in its network.
        node: Name of the ReLU node in the model.
        m: Number of rows.
        n: Number of columns.
        sha256: Digest of the numbers, see `LayerRecord`.
        exact: Whether the numbers are the model's own.
    """

    name: str
    node: str
    m: int
    n: int
    sha256: str
    exact: bool


@dataclass(frozen=True, eq=False)
class LayerRecord:
    """The affine map ``W x + b`` of a layer ``relu(W x + b)``, sparse by rows.

    The arrays are brought to one form: columns ascend in each row, and zeros are left out.

    Attributes:
        name: Name of the layer in its network.
        node: Name of the ReLU node in the model.
        n: Number of columns.
        starts: Where each row starts, int64, shape ``(m + 1,)``.
        columns: Column of each entry, int32, shape ``(nnz,)``.
        values: The entries, float64, shape ``(nnz,)``.
        bias: ``b``, float64, shape ``(m,)``.
        exact: Whether these are the model's own numbers; ``False`` where they come from folding several maps
            and are rounded.

    Raises:
        ArgumentError: If the arrays do not fit each other, or hold numbers that are not finite.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord
        >>> record = LayerRecord.dense(np.array([[1.0, 0.0], [2.0, -1.0]]), np.zeros(2))
        >>> record.m, record.columns.tolist(), record.sha256[:8]
        (2, [0, 0, 1], '...')
    """

    name: str
    node: str
    n: int
    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    bias: np.ndarray
    exact: bool = True

    def __post_init__(self) -> None:
        values, bias = vector(self.values, "values"), vector(self.bias, "bias") + 0.0
        starts, columns = np.array(self.starts, np.int64), np.array(self.columns, np.int64)
        _check(self.n, starts, columns, len(values), len(bias))
        for name, array in zip(
            ("starts", "columns", "values"), _canonical(starts, columns, values), strict=True
        ):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        bias.flags.writeable = False
        object.__setattr__(self, "bias", bias)

    @classmethod
    def dense(
        cls,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        name: str = "relu",
        node: str = "relu",
        exact: bool = True,
    ) -> LayerRecord:
        """Return the record of a dense matrix.

        Args:
            weight: ``W``, shape ``(m, n)``.
            bias: ``b``, shape ``(m,)``.
            name: Name of the layer in its network.
            node: Name of the ReLU node in the model.
            exact: Whether these are the model's own numbers.

        Raises:
            ArgumentError: If the shapes do not fit, or an entry is not finite.
        """
        matrix = np.asarray(weight, dtype=np.float64)
        if matrix.ndim != 2:
            refuse("weight", "shape (m, n)", f"{matrix.shape}")
        rows, columns = np.nonzero(matrix)
        starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
        return cls(name, node, matrix.shape[1], starts, columns, matrix[rows, columns], bias, exact)

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.bias)

    @cached_property
    def sha256(self) -> str:
        """Digest of sizes, row pointers, columns, values and bias, little-endian and in this order."""
        digest = hashlib.sha256(np.array([self.m, self.n, len(self.values)], "<i8").tobytes())
        for array, kind in zip(self._arrays(), _SIZES, strict=True):
            digest.update(array.astype(kind, copy=False).tobytes())
        return digest.hexdigest()

    @cached_property
    def rows(self) -> Rows:
        """``W`` by rows."""
        return Rows(self.n, self.starts, self.columns.astype(np.int64), self.values)

    @cached_property
    def affine(self) -> IntegerRows:
        """``W`` with ``b`` as a last column, in integers."""
        return integer_rows(self.rows.beside(self.bias))

    @cached_property
    def reference(self) -> LayerReference:
        """What identifies the layer, without its numbers."""
        return LayerReference(self.name, self.node, self.m, self.n, self.sha256, self.exact)

    def record(self) -> LayerRecord:
        """Return the record itself, so that it may be given where a layer is."""
        return self

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.starts, self.columns, self.values, self.bias


@runtime_checkable
class HasRecord(Protocol):
    """Whatever knows its numbers: a `LayerRecord`, a ``ReLULayer``."""

    def record(self) -> LayerRecord:
        """Return the numbers."""
        ...


class HasRecords(Protocol):
    """A chain of maps."""

    def records(self) -> tuple[LayerRecord, ...]:
        """Return the numbers of all maps, in order."""
        ...

    def last_record(self) -> LayerRecord | None:
        """Return the numbers of an affine map at the end, behind which there is no ReLU."""
        ...


@runtime_checkable
class HasChain(Protocol):
    """Whatever may be a chain of maps: a ``Network``."""

    def stacked(self) -> HasRecords:
        """Return the chain, whose layers pass on what skips them, or raise an ArgumentError."""
        ...


class RecordChain(dict[str, LayerRecord]):
    """The maps of a chain by name, in order.

    Attributes:
        affine_end: Whether no ReLU follows the last one.
    """

    affine_end = False

    def stacked(self) -> RecordChain:
        """Return the chain itself, so that it may be given where a network is."""
        return self

    def records(self) -> tuple[LayerRecord, ...]:
        """Return all maps, in order."""
        return tuple(self.values())

    def last_record(self) -> LayerRecord | None:
        """Return the affine map at the end, if there is one."""
        return self.records()[-1] if self.affine_end else None


def layer_fields(layer: LayerRecord | LayerReference, rows: bool) -> dict[str, Any]:
    """Return a layer as JSON holds it, with its numbers or without."""
    known = layer.reference if isinstance(layer, LayerRecord) else layer
    packed = None
    if rows and isinstance(layer, LayerRecord):
        packed = pack(*layer._arrays())
    return {
        "name": known.name,
        "node": known.node,
        "m": known.m,
        "n": known.n,
        "nnz": len(layer.values) if isinstance(layer, LayerRecord) and rows else None,
        "sha256": known.sha256,
        "exact": known.exact,
        "rows": packed,
    }


def read_layer(fields: Fields) -> LayerRecord | LayerReference:
    """Read what `layer_fields` returned.

    Raises:
        ArgumentError: If a field is not as expected, or the numbers have another digest.
    """
    reference = LayerReference(
        fields.text("name"),
        fields.text("node"),
        fields.whole("m"),
        fields.whole("n", 1),
        fields.text("sha256"),
        fields.flag("exact"),
    )
    packed = fields.take("rows")
    nnz = (
        fields.take("nnz")
        if packed is None
        else fields.whole("nnz", 0, min(reference.m * reference.n, 2**31 - 1))
    )
    fields.end()
    if packed is None:
        if nnz is not None:
            refuse(fields.name("nnz"), "null without rows", f"{nnz}")
        return reference
    if not isinstance(packed, str):
        refuse(fields.name("rows"), "a string or null", type(packed).__name__)
    lengths = (reference.m + 1, nnz, nnz, reference.m)
    sizes = list(zip(_SIZES, lengths, strict=True))
    starts, columns, values, bias = unpack(packed, fields.name("rows"), sizes)
    record = LayerRecord(
        reference.name, reference.node, reference.n, starts, columns, values, bias, reference.exact
    )
    if record.sha256 != reference.sha256:
        refuse(fields.name("sha256"), record.sha256, reference.sha256)
    return record


def _check(n: int, starts: np.ndarray, columns: np.ndarray, nnz: int, m: int) -> None:
    if n < 1:
        refuse("n", "at least one column", f"{n}")
    if starts.shape != (m + 1,) or starts[0] != 0 or starts[-1] != nnz or (np.diff(starts) < 0).any():
        refuse("starts", f"{m + 1} row pointers from 0 to {nnz}", f"shape {starts.shape}")
    if columns.shape != (nnz,) or ((columns < 0) | (columns >= n)).any():
        refuse("columns", f"{nnz} column numbers below {n}", f"shape {columns.shape}")


def _canonical(
    starts: np.ndarray, columns: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort the columns of each row and leave zeros out."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    ascending = (np.diff(columns) > 0) | (np.diff(rows) > 0)
    if not ascending.all():
        order = np.lexsort((columns, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        if ((np.diff(columns) == 0) & (np.diff(rows) == 0)).any():
            refuse("columns", "every column once in a row", "a repeated one")
    kept = values != 0
    if not kept.all():
        rows, columns, values = rows[kept], columns[kept], values[kept]
        starts = np.searchsorted(rows, np.arange(len(starts)))
    return starts.astype(np.int64), columns.astype(np.int32), values.copy()
