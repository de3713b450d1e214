"""What an audit tells beyond the samples: kinds of preimages, collisions, injectivity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unrelu.audit._figures import (
    KINDS,
    CollisionExample,
    Histogram,
    InjectivityVerdict,
    PreimageKinds,
    Quantiles,
)
from unrelu.domains import Box
from unrelu.errors import UnreluError
from unrelu.injectivity import decide
from unrelu.preimage import collide

if TYPE_CHECKING:
    from unrelu.frames import Frame
    from unrelu.layers import ReLULayer


def kinds_of(
    kinds: np.ndarray, dimensions: np.ndarray, active: np.ndarray, linear_programs: int
) -> PreimageKinds | None:
    """Count kinds of preimages by the number of strictly active rows.

    Args:
        kinds: Kind of each sample's preimage, shape ``(N,)``.
        dimensions: Affine dimensions, -1 where not proved.
        active: Numbers of strictly active rows.
        linear_programs: How many samples needed one.
    """
    if not len(kinds):
        return None
    edges = Histogram.of(active).edges
    counts = {kind: np.histogram(active[kinds == kind], edges)[0].tolist() for kind in KINDS}
    several = dimensions[(dimensions > 0) & (kinds != "undecided")]
    return PreimageKinds(
        samples=len(kinds),
        edges=edges,
        counts={kind: tuple(column) for kind, column in counts.items()},
        dimension=Quantiles.of(several) if len(several) else None,
        linear_programs=linear_programs,
    )


def find_collisions(
    layer: ReLULayer,
    frame: Frame,
    inputs: np.ndarray,
    labels: np.ndarray | None,
    numbers: np.ndarray,
    shape: tuple[int, ...],
) -> tuple[CollisionExample, ...]:
    """Turn samples into others as far as the layer's output allows, within the range of the data.

    Args:
        layer: A layer that reads the data themselves.
        frame: Its rows.
        inputs: All samples.
        labels: Their classes; a sample is turned towards one of another class where they are known.
        numbers: Which samples to turn, each towards the next one that differs.
        shape: Shape of a sample as it is shown.
    """
    domain = Box(float(inputs.min()), float(inputs.max()))
    found = []
    for index in numbers.tolist():
        target = _target(index, labels, len(inputs))
        x, c = (np.asarray(inputs[k], dtype=np.float64).reshape(-1) for k in (index, target))
        if target == index:
            continue
        try:
            collision = collide(layer, x, towards=c, domain=domain, frame=frame)
        except UnreluError:  # neither found nor excluded within rounding: the gallery does without it
            continue
        if collision is not None:
            found.append(
                CollisionExample(
                    index,
                    target,
                    original=x.reshape(shape),
                    other=np.asarray(collision.x).reshape(shape),
                    target=c.reshape(shape),
                    distance=collision.distance,
                    target_distance=collision.target_distance,
                    output_difference=collision.output_difference,
                )
            )
    return tuple(found)


def _target(index: int, labels: np.ndarray | None, count: int) -> int:
    """Return the next sample of another class; the next one where classes are not known."""
    if labels is None:
        return (index + 1) % count
    others = np.flatnonzero(labels != labels[index])
    return int(others[np.searchsorted(others, index) % len(others)]) if len(others) else index


def injectivity_of(layer: ReLULayer, seconds: float) -> InjectivityVerdict:
    """Decide whether a layer is injective on R^n, within so many seconds."""
    found = decide(layer, time_limit=seconds)
    return InjectivityVerdict(str(found.verdict), found.grade, found.reason)
