"""Verification that the rows of the last step that read the link's input only are enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rank import proved_rank
from unrelu.certificates._rows import Rows
from unrelu.certificates._verification import NotProvedError, require
from unrelu.certificates._verify_network import check_layer
from unrelu.certificates.links._proofs import AloneProof
from unrelu.certificates.links._record import LinkRecord

LINEAR = ("affine", "entrywise")
"""Kinds of steps that tell their affine map."""


def rows_alone(link: LinkRecord, *sources: int) -> np.ndarray:
    """Return the rows of the last step that read nothing but some activations.

    Args:
        link: The link.
        sources: Numbers of the activations.

    Returns:
        Row numbers, int64, ascending; rows without an entry are among them.
    """
    columns = link.columns(len(link.steps))
    others = np.ones(link.last.map.n, dtype=bool)
    for source in sources:
        others[columns.get(source, np.zeros(0, dtype=np.int64))] = False
    rows = link.last.map.rows
    return np.flatnonzero(np.bincount(rows.numbers[others[rows.columns]], minlength=rows.m) == 0)


def part_alone(link: LinkRecord, source: int) -> Rows:
    """Return the rows of the last step that read one activation only, on its entries."""
    return link.part(len(link.steps), source).take(rows_alone(link, source))


def layer_alone(link: LinkRecord) -> LayerRecord:
    """Return the ReLU layer that is injective exactly where what the last step reads of the input alone is.

    Args:
        link: A link.

    Returns:
        The rows ``W u + b`` of the last step that read the link's input only. For a step without a ReLU the
        layer of ``W`` and ``-W`` without bias, which is injective if the rank is n.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, LinkRecord, LinkStep, layer_alone
        >>> unknown = LinkStep.opaque("g", "g", (0,), n=1, m=1)
        >>> rows = LayerRecord.dense(np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]]), np.ones(3))
        >>> layer_alone(LinkRecord(1, (unknown, LinkStep("relu", (0, 1), rows)))).values
        array([ 1., -1.])
    """
    kept = rows_alone(link, 0)
    rows, known = link.part(len(link.steps), 0).take(kept), link.last.map
    bias = known.bias[kept]
    if link.last.kind in LINEAR:
        rows, bias = rows.above(replace(rows, values=-rows.values)), np.zeros(2 * len(kept))
    return LayerRecord(
        known.name, known.node, link.n, rows.starts, rows.columns, rows.values, bias, known.exact
    )


def check_alone(proof: AloneProof, link: LinkRecord) -> str:
    """Check the rank, or the layer's proof.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    kind, function = link.last.kind, link.last.function
    if function is not None:
        require(function.ascends, f"the last step is {function.name!r}, which does not ascend strictly")
    if proof.proof is None:
        require(kind in LINEAR, f"the last step is {kind!r}, not affine")
        rank = proved_rank(part_alone(link, 0))
        require(rank == link.n, f"rows of the input only were proved to have rank {rank}, not {link.n}")
        return "affine maps of full rank"
    require(kind in {*LINEAR, "relu"}, f"the last step is {kind!r}, neither affine nor a ReLU")
    layer = layer_alone(link)
    if proof.proof.layer.sha256 != layer.sha256:
        raise NotProvedError("the layer of the rows that read the input only has other numbers (SHA-256)")
    check_layer(layer, proof.proof)
    return "affine maps of full rank" if kind in LINEAR else "layers beside other maps"
