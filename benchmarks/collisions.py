"""Collisions of 100 MNIST digits under the first layer of a public network, towards a digit of another class.

One side is `unrelu.collide` with its certificate in exact arithmetic, the other one the linear program of
Behrmann et al. 2018, Appendix A7, by `scipy.optimize.linprog`, whose answer nothing proves.
"""

import os
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from scipy.optimize import linprog

import unrelu
from benchmarks._pair import Comparison, paired, peak_memory
from unrelu.frames import frame_of

DIGITS, PAIRED_DIGITS = 100, 20
PIXELS = unrelu.Box(0, 1)


def _model() -> Path:
    return Path(os.environ["UNRELU_DATA"]) / "onnx" / "mnist-net_256x2.onnx"


def _problem() -> tuple[unrelu.ReLULayer, np.ndarray, np.ndarray]:
    data = unrelu.load("mnist:test")
    x = data.inputs.reshape(len(data), -1).astype(np.float64)
    others = [np.flatnonzero(data.labels[k + 1 :] != data.labels[k])[0] + k + 1 for k in range(DIGITS)]
    return unrelu.trace(_model())[0], x[:DIGITS], x[others]


def _collisions(objective: str, digits: int) -> list[unrelu.Collision]:
    layer, x, targets = _problem()
    frame = frame_of(layer)
    pairs = zip(x[:digits], targets[:digits], strict=True)
    found = [
        unrelu.collide(layer, a, towards=c, domain=PIXELS, objective=objective, frame=frame) for a, c in pairs
    ]
    return [one for one in found if one is not None]


def once() -> None:
    """Run the fast side once, for its memory."""
    _collisions("linear", PAIRED_DIGITS)


def _as_published() -> None:
    layer, x, targets = _problem()
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    for a, c in zip(x[:PAIRED_DIGITS], targets[:PAIRED_DIGITS], strict=True):
        z = weight @ a + bias
        on = z > 0
        linprog(-c, weight[~on], -bias[~on], weight[on], z[on] - bias[on], bounds=(0, 1))


def _outputs(inputs: np.ndarray) -> np.ndarray:
    """Return what onnxruntime says, in float32."""
    session = onnxruntime.InferenceSession(_model())
    entry = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in entry.shape]
    rows = [session.run(None, {entry.name: x.astype(np.float32).reshape(shape)})[0].ravel() for x in inputs]
    return np.array(rows)


def _facts(objective: str) -> dict[str, str]:
    """Describe the collisions, each checked anew."""
    layer, x, targets = _problem()
    found = _collisions(objective, DIGITS)
    start = time.perf_counter()
    verified = sum(unrelu.verify(one.certificate, layer).grade == "exact" for one in found)
    seconds = time.perf_counter() - start
    network = unrelu.trace(_model())
    others = np.array([one.x for one in found])
    before, after = (network.forward(rows.reshape(len(rows), *network.input_shape)) for rows in (x, others))
    difference = np.abs(after - before).max(axis=1) / np.abs(before).max(axis=1)
    onnx = np.abs(_outputs(others) - _outputs(x)).max(axis=1) / np.abs(before).max(axis=1)
    apart = np.linalg.norm(x - targets, axis=1)
    return {
        f"{objective}: collisions, proved by unrelu.verify": f"{len(found)}, {verified} of {DIGITS}",
        f"{objective}: verification, ms each": f"{1e3 * seconds / DIGITS:.0f}",
        f"{objective}: largest output difference, network": f"{difference.max():.1e}",
        f"{objective}: the same by onnxruntime, float32": f"{onnx.max():.1e}",
        f"{objective}: median distance to the target": f"{median(one.target_distance for one in found):.3f}",
        f"{objective}: of the digits themselves": f"{median(apart):.3f}",
        f"{objective}: median distance moved": f"{median(one.distance for one in found):.3f}",
    }


def run() -> list[Comparison]:
    """Compare, and check the answers."""
    facts = {
        **_facts("linear"),
        **_facts("euclidean"),
        "peak memory, fresh process (MB)": f"{peak_memory('benchmarks.collisions'):.0f}",
    }
    return [
        paired(
            f"collisions: first layer of mnist-net_256x2, {objective}",
            (f"unrelu.collide, {objective}", PAIRED_DIGITS, partial(_collisions, objective, PAIRED_DIGITS)),
            ("linear program by scipy.optimize.linprog", PAIRED_DIGITS, _as_published),
            rounds=2,
            facts=facts if objective == "linear" else {},
        )
        for objective in ("linear", "euclidean")
    ]
