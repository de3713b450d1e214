"""``unrelu collide``."""

from __future__ import annotations

import json as jsonlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import (
    Data,
    Force,
    InputShape,
    Mean,
    Model,
    Std,
    Weights,
    check_outputs,
    make_folder,
)
from unrelu.cli._source import Source, open_source

if TYPE_CHECKING:
    import numpy as np

    from unrelu.preimage import Collision

_FILES = ("pair.png", "other.npy", "collision.json", "certificate.json")


class Objective(StrEnum):
    """What the new input is to be."""

    EUCLIDEAN = "euclidean"
    LINEAR = "linear"


def collide(
    model: Model,
    data: Data,
    index: Annotated[int, typer.Option(min=0, help="Number of the sample, from 0.")],
    towards: Annotated[
        int | None, typer.Option(help="Class to resemble: its sample nearest to the given one is the target.")
    ] = None,
    towards_sample: Annotated[
        int | None,
        typer.Option(min=0, help="Number of the sample to resemble; else the farthest input."),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Keep the output of this layer; of the whole network if not given.")
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            help="Where inputs may lie, before --mean, --std: space, orthant, box:LO,HI; if not given pixels "
            "in [0, 1] for images, else space."
        ),
    ] = None,
    objective: Annotated[
        Objective, typer.Option(help="Nearest to the target, or largest inner product with it.")
    ] = Objective.EUCLIDEAN,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"Folder for {', '.join(_FILES)}.")
    ] = None,
    mean: Mean = None,
    std: Std = None,
    weights: Weights = None,
    input_shape: InputShape = None,
    force: Force = False,
) -> None:
    """Find another input that a layer, or a whole network, cannot tell from a sample.

    Exit code 0 if there is one, 3 if the sample is proved to be the only input with its output.

    For example:

      unrelu collide model.onnx --data mnist:test --index 7 --towards 4

      unrelu collide model.onnx --data mnist:test --index 7 --towards 4 --layer fc1 -o collision
    """
    from unrelu.preimage import collide

    if towards is not None and towards_sample is not None:
        raise typer.BadParameter("goes without --towards-sample", param_hint="--towards")
    if output is not None:
        make_folder(output)
        check_outputs(force, *(output / name for name in _FILES))
    source = open_source(model, data, mean=mean, std=std, weights=weights, input_shape=input_shape)
    subject = source.network if layer is None else source.layer(layer)
    default = "box:0,1" if source.raw.layout == "CHW" else "space"
    within = source.domain(domain or default, None if layer is None else source.layer(layer))
    inputs = source.inputs() if layer is None else source.inputs_of(source.layer(layer))
    source.check_index(index, "--index")
    target = _target(source, inputs, index, towards, towards_sample)
    found = collide(
        subject,
        inputs[index],
        towards=None if target is None else inputs[target],
        domain=within,
        objective=objective.value,
    )
    if found is None:
        typer.echo(f"sample {index} is the only input with its output")
        raise typer.Exit(Exit.REFUTED)
    typer.echo(_told(found, index, target))
    if output is not None:
        _save(found, output, force, source, index, target)


def _target(
    source: Source, inputs: np.ndarray, index: int, towards: int | None, sample: int | None
) -> int | None:
    """Return the number of the sample to resemble."""
    import numpy as np

    if sample is not None:
        source.check_index(sample, "--towards-sample")
    if towards is None:
        return sample
    labels = source.raw.labels
    if labels is None:
        message = "the data have no classes; name a sample by --towards-sample"
        raise typer.BadParameter(message, param_hint="--towards")
    candidates = np.flatnonzero((labels == towards) & (np.arange(len(labels)) != index))
    if not len(candidates):
        raise typer.BadParameter(f"no sample has class {towards}", param_hint="--towards")
    away = np.linalg.norm((inputs[candidates] - inputs[index]).reshape(len(candidates), -1), axis=1)
    return int(candidates[np.argmin(away)])


def _told(found: Collision, index: int, target: int | None) -> str:
    near = "" if found.target_distance is None else f", {found.target_distance:.4g} from sample {target}"
    return (
        f"an input at distance {found.distance:.4g} from sample {index}{near} has the same output\n"
        f"outputs differ by {found.output_difference:.2g} of the largest; {found.reason}"
    )


def _save(
    found: Collision, folder: Path, force: bool, source: Source, index: int, target: int | None
) -> None:
    """Write the new input, the facts, the proof, and a picture where the samples are images."""
    import io

    import numpy as np

    from unrelu.output import write_bytes, write_text

    array = io.BytesIO()
    np.save(array, np.asarray(found.x), allow_pickle=False)
    write_bytes(folder / "other.npy", array.getvalue(), force=force)
    facts = jsonlib.dumps(_facts(found, index, target), indent=2) + "\n"
    write_text(folder / "collision.json", facts, force=force)
    written = ["other.npy", "collision.json"]
    if found.certificate is not None:
        write_text(folder / "certificate.json", found.certificate.to_json(), force=force)
        written.append("certificate.json")
    picture = _picture(found, source, index, target)
    if picture is not None:
        write_bytes(folder / "pair.png", picture, force=force)
        written.append("pair.png")
    typer.echo(f"{folder}: {', '.join(sorted(written))}", err=True)


def _facts(found: Collision, index: int, target: int | None) -> dict[str, Any]:
    return {
        "index": index,
        "target_index": target,
        "distance": found.distance,
        "target_distance": found.target_distance,
        "output_difference": found.output_difference,
        "region": found.region,
        "reason": found.reason,
    }


def _picture(found: Collision, source: Source, index: int, target: int | None) -> bytes | None:
    """Draw the pair, and the target where there is one; nothing where the samples are no images."""
    from unrelu.audit import CollisionExample, collisions

    original, other = source.image(found.original), source.image(found.x)
    if original is None or other is None:
        return None
    shown = CollisionExample(
        index,
        target,
        original=original,
        other=other,
        target=None if target is None else source.image(source.inputs()[target]),
        distance=found.distance,
        target_distance=found.target_distance,
        output_difference=found.output_difference,
    )
    return collisions(source.network.origin, [shown]).png()
