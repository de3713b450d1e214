"""Audit results as an audit fills them: dense and convolutional layers, skipped nodes, and the edge cases."""

import math
from dataclasses import replace

import numpy as np

from unrelu.audit._figures import (
    CollisionExample,
    Example,
    Histogram,
    InjectivityVerdict,
    LipschitzFigures,
    PreimageKinds,
    Quantiles,
    Share,
    SingularValues,
    SpectrumFigures,
)
from unrelu.audit._result import AuditResult, LayerAudit, SkippedNode
from unrelu.stability import Interval

HOSTILE = "<script>alert(1)</script>\"'&$\\frac$[red]{{7*7}}\x1b[31m\u202e\ud800漢"


def digit(rng, shape=(1, 8, 8)):
    """A blurred blob in [0, 1]: enough like an image to look at."""
    rows, columns = np.mgrid[: shape[-2], : shape[-1]] / max(shape[-1] - 1, 1)
    centre = rng.uniform(0.3, 0.7, (2, *shape[:-2]))
    squared = (rows - centre[0][..., None, None]) ** 2 + (columns - centre[1][..., None, None]) ** 2
    return np.exp(-12 * squared).reshape(shape)


def examples(shape=(1, 8, 8), count=3):
    rng = np.random.default_rng(1)
    made = []
    for index in range(count):
        original = digit(rng, shape)
        noise = 1e-9 if index % 2 == 0 else 0.2
        back = original + noise * rng.standard_normal(shape)
        error = float(np.linalg.norm(back - original) / np.linalg.norm(original))
        made.append(Example(17 * index, original, back, 1 - index % 2, error))
    return tuple(made)


def collisions(shape=(1, 8, 8), count=2):
    shown = examples(shape, 2 * count)
    return tuple(
        CollisionExample(
            index,
            5,
            original=one.original,
            other=0.5 * one.original + 0.5 * two.original,
            target=two.original,
            distance=2.5,
            target_distance=0.8,
            output_difference=1e-16,
        )
        for index, (one, two) in enumerate(zip(shown[::2], shown[1::2], strict=True))
    )


def preimages():
    counts = {"singleton": (0, 0, 3), "bounded": (1, 3, 1), "unbounded": (2, 0, 0), "undecided": (0, 0, 0)}
    return PreimageKinds(10, (59.5, 61.5, 63.5, 65.5), counts, Quantiles(1.0, 1.0, 3.0, 5.0, 5.0), 1)


def lipschitz(injective=True):
    """Constants of a layer that shrinks distances at most by a known factor, or to nothing."""
    if injective:
        return LipschitzFigures(Interval(3.1, 3.4), Interval(0.02, 0.04), Interval(77.5, 170.0), 4, False)
    nothing, infinite = Interval(0.0, 0.0), Interval(math.inf, math.inf)
    return LipschitzFigures(Interval(3.1, 3.1), nothing, infinite, 4, True)


def singular_values(rank, largest=9.87):
    """Values that decay by a factor of a thousand; none where the rank is 0."""
    if not rank:
        return SingularValues(0.0, None, None, None, (), ())
    values = np.geomspace(largest, largest / 1000, rank)
    return SingularValues(
        float(rank), largest, float(values[-1]), 1000.0, tuple(range(1, rank + 1)), tuple(values.tolist())
    )


def spectrum(before=60, after=41):
    """Singular values before and after a ReLU."""
    return SpectrumFigures(4, 784, singular_values(before), singular_values(after, 8.76))


def histogram(values):
    counts, edges = np.histogram(values, bins=24)
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def layer(name="fc1", m=256, n=64, count=500, total=500, undecided=0, **changes):
    rng = np.random.default_rng(0)
    active = rng.binomial(m, 0.48, total + undecided) if total + undecided else np.array([0])
    low, high = (count / total - 0.03, count / total + 0.03) if total else (0.0, 1.0)
    singleton = Share(count, total, max(low, 0.0), min(high, 1.0), 0.95)
    spread = np.abs(rng.standard_normal(50)) + 0.1
    made = LayerAudit(
        name=name,
        node=f"/{name}/Relu",
        source="input",
        kind="Dense",
        in_shape=(n,),
        out_shape=(m,),
        m=m,
        n=n,
        rank=min(m, n),
        rank_certified=True,
        zero_rows=0,
        dead_rows=3,
        duplicate_rows=0,
        antiparallel_rows=2,
        samples=total + undecided,
        active=Quantiles.of(active),
        active_histogram=histogram(active),
        singleton=singleton,
        undecided=undecided,
        tests={"boundary": undecided, "count": total - 20, "rank": 20} if total > 20 else {},
        input_norm=Quantiles.of(2 * spread),
        radius=Quantiles.of(0.05 * spread) if count else None,
        reconstructed=total + undecided,
        error=Quantiles.of(1e-9 * spread) if count else None,
        error_other=Quantiles.of(0.4 * spread) if count < total else None,
        condition=Quantiles.of(1 + 40 * spread) if count else None,
        noisy_samples=min(count, 200),
        error_noisy=Quantiles.of(0.03 * spread) if count else None,
        seconds=0.81,
    )
    return replace(made, **changes)


def realistic(**changes):
    """Two dense layers and a convolution, a verdict of each kind, image examples and skipped nodes."""
    layers = (
        layer(
            "features.conv1",
            m=3072,
            n=784,
            count=472,
            undecided=2,
            total=498,
            kind="Convolution",
            in_shape=(1, 28, 28),
            out_shape=(12, 16, 16),
            examples=examples((1, 28, 28), 4),
            injectivity=InjectivityVerdict(
                "not injective", "exact", "too few rows are active at the witness"
            ),
            preimages=preimages(),
            collisions=collisions((1, 28, 28)),
            spectrum=spectrum(),
            rank_certified=False,
            notes=("2 samples lie within rounding of a face of their cell.",),
        ),
        layer("fc1", m=1568, n=500, lipschitz=lipschitz(), spectrum=spectrum(41, 0)),
        layer(
            "fc2",
            m=64,
            n=256,
            count=0,
            lipschitz=lipschitz(injective=False),
            notes=(
                "Repeated rows were found, so the rank was computed for every sample.",
                "The condition number is that of the active rows, not of the whole matrix.",
            ),
        ),
    )
    made = AuditResult(
        model="models/mnist-classifier.onnx",
        data="mnist:test",
        data_shape=(1, 28, 28),
        samples=500,
        layers=layers,
        skipped=(
            SkippedNode("/pool/MaxPool", "MaxPool", "max pooling is not affine and has no ReLU of its own"),
            SkippedNode("/fc3/Gemm", "Gemm", "affine, but no ReLU follows it"),
        ),
        partial=False,
        seconds=12.34,
        created="2026-11-21T22:31:00+00:00",
        versions={"unrelu": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
        citation=(
            "Behrmann, Dittmer, Fernsel, Maass (2018). Analysis of invariance and robustness via "
            "invertibility of ReLU-networks. arXiv:1806.09730",
            "Eckert, Haider, Ehler, Balazs (2024). On the data-driven bias.",
        ),
    )
    return replace(made, **changes)


def hostile():
    """Every text in the result is an attempt to break out of the view that shows it."""
    nasty = layer(
        HOSTILE,
        node=HOSTILE,
        source=HOSTILE,
        kind=HOSTILE,
        notes=(HOSTILE,),
        tests={HOSTILE: 3},
        examples=examples(),
        lipschitz=lipschitz(),
        spectrum=spectrum(),
    )
    return realistic(
        model=HOSTILE,
        data=HOSTILE,
        layers=(nasty, replace(nasty, name="=1+1")),
        skipped=(SkippedNode(HOSTILE, HOSTILE, HOSTILE),),
        versions={HOSTILE: HOSTILE},
        citation=(HOSTILE,),
        partial=True,
    )


def empty():
    """A model without any layer that could be analysed."""
    return realistic(layers=())


def blank():
    """One layer of which nothing is known."""
    unknown = layer(
        count=0,
        total=0,
        undecided=0,
        samples=0,
        rank=None,
        input_norm=Quantiles.of(np.array([0.0])),
        active=Quantiles.of(np.array([0.0])),
        active_histogram=Histogram((0.0, 1.0), (0,)),
        error_other=None,
    )
    return realistic(layers=(unknown,), skipped=(), versions={}, citation=(), partial=True)


def single():
    """One layer, one sample, one input."""
    one = layer("fc", m=2, n=1, count=1, total=1, active_histogram=Histogram((0.5, 1.5), (1,)))
    one = replace(one, lipschitz=lipschitz(), spectrum=spectrum(1, 1))
    return realistic(layers=(one,), samples=1, data_shape=(1,), skipped=())


CASES = {"realistic": realistic, "hostile": hostile, "empty": empty, "blank": blank, "single": single}
