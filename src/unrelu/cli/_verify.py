"""``unrelu verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import InputShape, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unrelu.certificates import Certificate, LayerRecord, LinkRecords
    from unrelu.layers import Network


def verify(
    certificate: Annotated[Path, typer.Argument(metavar="CERTIFICATE", help="A proof, a JSON file.")],
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="The model that it speaks of; its own copy of the layer if not given."
        ),
    ] = None,
    weights: Weights = None,
    input_shape: InputShape = None,
) -> None:
    """Check a proof in exact rational arithmetic, without any of the code that found it.

    An ONNX file is read by a reader of the verifier's own where its operators allow that.

    Exit code 0 if the proof holds, 3 if it does not.

    For example:

      unrelu verify proof.json

      unrelu verify proof.json model.onnx
    """
    from rich.console import Console

    from unrelu import certificates

    proof = certificates.load(certificate)
    subject = None if model is None else _subject(proof, model, weights, input_shape)
    checked = certificates.verify(proof, subject)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(checked.statement)
    if not checked.valid:
        console.print(f"not proved: {checked.reason}", style="bold red")
        raise typer.Exit(Exit.REFUTED)
    console.print(f"proved; grade: {checked.grade}", style="bold green")
    if checked.reason:
        console.print(checked.reason)


def _subject(
    proof: Certificate, model: str, weights: Path | None, input_shape: str | None
) -> Mapping[str, LayerRecord] | LinkRecords | Network:
    """Return the model's layers or links, of an ONNX file without the importer where that is possible."""
    from unrelu.certificates import LinksCertificate, read_onnx, read_onnx_links
    from unrelu.cli._models import load_network
    from unrelu.cli._options import shape_of
    from unrelu.errors import ArgumentError, ModelError

    if model.endswith(".onnx") and Path(model).exists():
        try:
            return read_onnx_links(model, proof) if isinstance(proof, LinksCertificate) else read_onnx(model)
        except (ArgumentError, ModelError) as refused:
            typer.echo(f"{refused}; read by the importer instead", err=True)
    return load_network(model, weights, None, shape_of(input_shape))
