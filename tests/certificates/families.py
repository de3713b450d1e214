"""Certificates of many kinds, from the layers on which preimages are tested."""

from dataclasses import replace

import numpy as np

from tests.frames.matrices import KINDS
from tests.preimage.test_preimage import MADE, make
from unrelu import Box, Orthant, Polytope, ReLULayer, preimage
from unrelu.certificates import ConeProof, DomainRecord, LayerRecord
from unrelu.preimage import OutputError

CROSS = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


def certificate(weight, bias, x=None, y=None, domain=None):
    """The certificate of a preimage, or of its emptiness; ``None`` where undecided."""
    try:
        return preimage(ReLULayer(weight, bias), x, y, domain).certificate
    except OutputError as error:
        return error.certificate


def of_points(kind: str, count: int, seed: int = 0):
    """Certificates of inputs of small layers, in domains of all kinds."""
    rng = np.random.default_rng([seed, MADE.index(kind)])
    for k in range(count):
        weight, bias, x = make(rng, kind)
        domain = (None, Box(0, 1), Orthant(), Box(-np.inf, float(x.max())))[k % 4]
        x = x if domain is None else domain.project(x)
        if k % 5 == 0:
            x = np.round(x)
            G = rng.integers(-1, 2, (3, len(x))).astype(float)
            domain = Polytope(G, G @ x + rng.integers(0, 2, 3))
        yield certificate(weight, bias, x, domain=domain)


def of_outputs(kind: str, count: int):
    """Certificates of outputs of small layers: exact ones, rounded ones, and vectors that are none."""
    rng = np.random.default_rng([1, MADE.index(kind)])
    for k in range(count):
        weight, bias, x = make(rng, kind)
        domain = (None, Box(0, 1), Orthant())[k % 3]
        y = np.maximum(weight @ (x if domain is None else domain.project(x)) + bias, 0)
        if k % 4 == 0:
            y = rng.integers(0, 3, len(y)) * rng.integers(0, 2, len(y)) * 1.0
        yield certificate(weight, bias, y=y.astype(np.float32) if k % 4 == 1 else y, domain=domain)


def of_matrices_that_fool_floating_point(kind: str, count: int):
    """Certificates where entries differ by hundreds of orders of magnitude, or by one digit."""
    rng = np.random.default_rng([2, list(KINDS).index(kind)])
    for k in range(count):
        weight = KINDS[kind](rng)[:7, :3]
        m, n = weight.shape
        x = rng.integers(0, 2, n) * (1.0 if k % 2 else rng.random(n))
        with np.errstate(all="ignore"):
            product = weight @ x
        bias = np.where(np.isfinite(product), -product, 0.0) * rng.integers(0, 2, m)
        yield certificate(weight, bias, x, domain=(None, Box(0, 1), Orthant())[k % 3])


def changed(vector: np.ndarray | None, rng: np.random.Generator):
    """A vector with one entry changed: a little, its sign, to 0, a lot; or an entry less."""
    if vector is None or not len(vector):
        return
    k = int(rng.integers(len(vector)))
    whole = vector.dtype.kind in "iu"
    if not np.isfinite(float(vector[k])):
        return
    values = [-vector[k], 0 * vector[k], vector[k] + 3]
    if not whole:
        values += [vector[k] + vector[k] / 7, np.nextafter(float(vector[k]), np.inf)]
    for value in values:
        if not (whole and value < 0):
            copy = vector.copy()
            copy[k] = value
            yield copy
    yield -vector if not whole else vector[:-1]


def changed_proofs(proof: ConeProof, rng: np.random.Generator):
    """A proof with one field changed."""
    for name in ("equalities", "inequalities", "implied", "multipliers", "direction"):
        for value in changed(getattr(proof, name), rng):
            yield replace(proof, **{name: value})
    for name in ("multipliers", "direction"):
        if getattr(proof, name) is not None:
            yield replace(proof, **{name: None})
    for dimension in (proof.dimension + 1, proof.dimension - 1, 0):
        yield replace(proof, dimension=dimension)
    rest = np.setdiff1d(proof.inequalities, proof.implied)
    if len(rest):
        yield replace(proof, implied=np.append(proof.implied, rest[:1]))


def changed_layers(layer: LayerRecord, rng: np.random.Generator):
    """A layer with one number changed."""
    for name in ("values", "bias"):
        for value in changed(getattr(layer, name), rng):
            if len(value) == len(getattr(layer, name)):
                yield replace(layer, **{name: value})


def changed_domains(domain: DomainRecord, rng: np.random.Generator):
    """A domain with one number changed."""
    for name in ("lower", "upper", "offsets"):
        for value in changed(getattr(domain, name), rng):
            if np.isfinite(value).all():
                yield replace(domain, **{name: value})
    yield DomainRecord("space" if domain.kind != "space" else "orthant", domain.n)


def mutants(made, rng: np.random.Generator):
    """A preimage certificate with one field changed, with the field's name."""
    for layer in changed_layers(made.layer, rng):
        yield "layer", replace(made, layer=layer)
    for domain in changed_domains(made.domain, rng):
        yield "domain", replace(made, domain=domain)
    for name in ("x", "y", "spanning"):
        for value in changed(getattr(made, name), rng):
            yield name, replace(made, **{name: value})
    for kind in {"singleton", "bounded", "unbounded", "empty"} - {made.kind}:
        yield "kind", replace(made, kind=kind)
    for dimension in {0, made.dimension + 1, made.dimension - 1} - {made.dimension, -2}:
        yield "dimension", replace(made, dimension=dimension)
    for name in ("tangent", "recession", "output"):
        proof = getattr(made, name)
        if proof is not None:
            yield name, replace(made, **{name: None})
            for other in changed_proofs(proof, rng):
                yield name, replace(made, **{name: other})
