"""Functions of entries: what the verifier takes for granted of them, and the proofs that use it."""

import numpy as np
import pytest

from tests.certificates.links.blocks import affine, alone, entrywise, holds, reason
from tests.reference.links import ENTRIES, evaluate
from unrelu.certificates import AloneProof, ContractionProof, EntryFunction, LinkRecord, LinkStep
from unrelu.certificates.links._entrywise import ENTRY_FUNCTIONS
from unrelu.errors import ArgumentError

PARAMETERS = {
    "leaky_relu": (0.01, 0.0, 1.0, 3.0, -0.5),
    "elu": (1.0, 0.0, 2.5, -1.0),
    "celu": (1.0, 0.1, -1.0),
}
KNOWN = [EntryFunction(name, a) for name in ENTRY_FUNCTIONS for a in PARAMETERS.get(name, (None,))]


@pytest.mark.parametrize("function", KNOWN, ids=str)
def test_slopes_and_signs(function):
    """Between points of a grid, in floating point; the bound is met somewhere, or nearly."""
    x = np.unique(np.concatenate([np.linspace(-2, 8, 4001), np.linspace(-1e-3, 1e-3, 2001)]))
    y = np.array([ENTRIES[function.name](v, function.parameter) for v in x.tolist()])
    slopes = np.diff(y) / np.diff(x)
    assert np.abs(slopes).max() <= function.lipschitz * (1 + 1e-9)
    assert function.lipschitz == np.inf or np.abs(slopes).max() > 0.99 * function.lipschitz
    if function.ascends:
        assert (slopes > 0).all()
    elif function.name != "celu":
        assert (slopes <= 0).any()


def test_every_function_has_a_twin():
    assert set(ENTRIES) == set(ENTRY_FUNCTIONS)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("gelu", None), ("tanh", 1.0), ("elu", None), ("elu", np.nan), ("leaky_relu", np.inf), ("celu", 0.0)],
)
def test_what_is_not_known_is_refused(name, parameter):
    with pytest.raises(ArgumentError, match=r"^(function|parameter)"):
        EntryFunction(name, parameter)


def residual(factor: float, function: str, parameter: float | None = None) -> LinkRecord:
    """``u + factor f(u)``."""
    inner = entrywise(0, weight=np.eye(2), function=function, parameter=parameter)
    return LinkRecord(2, (inner, affine(0, 1, weight=np.hstack([np.eye(2), factor * np.eye(2)]))))


@pytest.mark.parametrize(
    ("factor", "function", "parameter", "valid"),
    [
        (-0.9, "tanh", None, True),
        (-1.01, "tanh", None, False),
        (-3.6, "sigmoid", None, True),
        (-4.1, "sigmoid", None, False),
        (0.45, "elu", 2.0, True),
        (0.55, "elu", 2.0, False),
        (0.45, "leaky_relu", -2.0, True),
        (0.55, "leaky_relu", -2.0, False),
        (0.9, "celu", 0.1, True),
        (0.9, "celu", -1.0, False),
    ],
)
def test_contractions(factor, function, parameter, valid, rng):
    link = residual(factor, function, parameter)
    assert holds(ContractionProof(link)) == valid
    if valid:
        for _ in range(20):
            u, v = rng.standard_normal((2, 2)) * 10.0 ** rng.integers(-3, 2)
            change = evaluate(link, u) - evaluate(link, v)
            slope = abs(factor) * link.steps[0].function.lipschitz
            assert np.linalg.norm(change) >= (1 - slope) * np.linalg.norm(u - v) * (1 - 1e-9)


def test_behind_an_affine_map_of_full_rank():
    weight = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]])
    for function in KNOWN:
        step = entrywise(0, weight=weight, function=function.name, parameter=function.parameter)
        assert holds(AloneProof(LinkRecord(2, (step,)))) == function.ascends
        thin = entrywise(0, weight=weight[:1], function=function.name, parameter=function.parameter)
        assert not holds(AloneProof(LinkRecord(2, (thin,))))
    square = LinkRecord(2, (entrywise(0, weight=weight[:2]),))
    assert holds(alone(square))
    flat = LinkRecord(2, (entrywise(0, weight=weight, function="leaky_relu", parameter=0.0),))
    assert "'leaky_relu', which does not ascend" in reason(AloneProof(flat))


def test_beside_what_is_not_known():
    opaque = LinkStep.opaque("g", "g", (0,), 2, 1)
    weight = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert holds(AloneProof(LinkRecord(2, (opaque, entrywise(0, 1, weight=weight)))))
    weight[0, 2] = 1.0
    assert not holds(AloneProof(LinkRecord(2, (opaque, entrywise(0, 1, weight=weight)))))


def test_digests_tell_functions_and_parameters_apart():
    steps = [entrywise(0, weight=np.eye(2), function=f.name, parameter=f.parameter) for f in KNOWN]
    assert len({step.sha256 for step in steps}) == len(KNOWN)
