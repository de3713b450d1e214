"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from unrelu.layers import Network, ReLULayer

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="file.onnx, file.pt2, or package.module:callable that returns a torch.nn.Module.",
    ),
]
Data = Annotated[
    str,
    typer.Option(
        help="iris, digits, mnist:train|test, cifar10:train|test, a .npy/.npz/.safetensors/.csv file or an "
        "image folder."
    ),
]
Mean = Annotated[str | None, typer.Option(help="Subtract this, a number or one a channel: 0.1307")]
Std = Annotated[str | None, typer.Option(help="Then divide by this, a number or one a channel.")]
Weights = Annotated[
    Path | None, typer.Option(help="Weights for package.module:callable, a .safetensors file.")
]
InputShape = Annotated[
    str | None, typer.Option(help="Shape of one input of package.module:callable: 3,32,32")
]
Layer = Annotated[
    str | None, typer.Option(help="Name of the layer or of its ReLU node; the first if not given.")
]
Certificate = Annotated[Path | None, typer.Option(help="Write the proof to this file, for unrelu verify.")]
Json = Annotated[
    str | None, typer.Option(help="Write the answers as JSON to this file; - for standard output.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]


def check_outputs(force: bool, *paths: Path | str | None) -> None:
    """Refuse outputs that cannot be written before any long work begins."""
    from unrelu.output import check_writable

    targets = [check_writable(path, force) for path in paths if path is not None]
    if len(set(targets)) < len(targets):
        raise typer.BadParameter("two outputs would go to the same file")


def make_folder(path: Path) -> None:
    """Make a folder for results, and the folders above it."""
    from unrelu.errors import OutputError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}") from error


def layer_of(network: Network, name: str | None) -> ReLULayer:
    """Return the layer of that name, the first one where there is none.

    Raises:
        typer.BadParameter: If there is no such layer.
    """
    try:
        return network[0 if name is None else name]
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0]), param_hint="--layer") from None


def write_json(document: dict[str, Any], path: str | None, force: bool) -> None:
    """Write a document as JSON, to standard output for ``-`` and nowhere for ``None``."""
    from unrelu.output import write_text

    if path is None:
        return
    text = json.dumps(document, indent=2) + "\n"
    if path == "-":
        typer.echo(text, nl=False)
    else:
        write_text(path, text, force=force)


def per_channel(text: str | None, option: str) -> list[float] | None:
    """Read numbers separated by commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected numbers separated by commas, got {text!r}", param_hint=option
        ) from None


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """Read the shape of an input."""
    if text is None:
        return None
    lengths = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in lengths):
        message = f"expected positive whole numbers separated by commas, got {text!r}"
        raise typer.BadParameter(message, param_hint="--input-shape")
    return tuple(map(int, lengths))
