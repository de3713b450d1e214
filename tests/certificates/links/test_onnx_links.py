"""Links found in ONNX files without the onnx package, against the importer and against onnxruntime."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from tests.certificates.links.blocks import affine, dense, entrywise, relu, space
from tests.certificates.links.onnx_models import contractive, proved
from tests.layers.from_onnx.models import Graph, evaluate, integers, numbers, save
from tests.reference import links as reference
from unrelu import trace
from unrelu.certificates import (
    AloneProof,
    LinkRecord,
    LinksCertificate,
    LinkStep,
    NormRecord,
    from_json,
    read_onnx_links,
    verify,
)
from unrelu.errors import ModelError


def named(records) -> LinksCertificate:
    """A certificate that names links, and proves nothing."""
    return LinksCertificate(space(records[0].n), tuple(AloneProof(record) for record in records))


def head(graph: Graph, size: int = 4) -> str:
    """A ReLU layer of the input."""
    return graph.add("Relu", graph.add("Gemm", "x", numbers(4, size, seed=9), numbers(size)), name="head")


def residual(g):
    t = head(g)
    inner = g.add("Relu", g.add("MatMul", t, numbers(4, 3)))
    return g.add("Add", t, g.add("Mul", g.add("MatMul", inner, numbers(3, 4, seed=1)), np.float32(0.25)))


def minus(g):
    t = head(g)
    return g.add("Sub", g.add("Mul", np.float32(2), t), g.add("Relu", g.add("MatMul", t, numbers(4, 4))))


def of_three(g):
    t = head(g)
    return g.add("Sum", t, g.add("Relu", g.add("Neg", t)), g.add("Relu", g.add("MatMul", t, numbers(4, 4))))


def image(g):
    return g.add("Reshape", head(g, 16), integers(1, 1, 4, 4))


def max_pool(g):
    t = image(g)
    pooled = g.add("MaxPool", t, kernel_shape=[2, 2], strides=[2, 2])
    details = g.add("Conv", t, numbers(3, 1, 2, 2), strides=[2, 2])
    return g.add("Concat", pooled, details, axis=1)


def reduce_max(g):
    t = g.add("Transpose", image(g), perm=[0, 2, 3, 1])
    largest = g.add("ReduceMax", t, axes=[2, -1], keepdims=0)
    return g.add("Concat", g.add("Flatten", largest), g.add("Flatten", t), axis=-1)


def augmented(g):
    t = head(g)
    mean = g.add("ReduceMean", t, axes=[-1])
    square = g.add("Pow", g.add("Sub", t, mean), np.float32(2))
    variance = g.add("Add", g.add("ReduceMean", square, axes=[-1]), np.float32(1e-5))
    norm = g.add("LayerNormalization", t, numbers(4), numbers(4, seed=1), axis=-1, epsilon=1e-3, name="norm")
    return g.add("Concat", norm, mean, g.add("Sqrt", variance), axis=1)


def norms(g):
    t = g.add("InstanceNormalization", image(g), numbers(1), numbers(1, seed=1))
    t = g.add("LayerNormalization", g.add("Mul", t, numbers(4, 1)), numbers(4, 4), axis=2)
    return g.add("Relu", g.add("Gemm", g.add("Flatten", t), numbers(16, 20)))


def paired(g):
    t = head(g)
    other = g.add("Tanh", g.add("MatMul", t, numbers(4, 2)))
    return g.add("Relu", g.add("Concat", t, g.add("Neg", t), other, axis=1))


def opaque_twice(g):
    """Two functions of the same input and size, of which only one is read again."""
    t = head(g)
    one, other = g.add("Sin", t), g.add("Sigmoid", t)
    return g.add("Concat", t, g.add("Mul", one, other), g.add("Relu", other), g.add("Exp", one), axis=1)


def clipped(g):
    t = g.add("Clip", head(g), np.float32(0), None)
    return g.add("Div", g.add("Add", t, g.add("Clip", t, np.float32(0), np.float32(1))), np.float32(8))


def sums(g):
    t = image(g)
    rows = g.add("ReduceSum", t, integers(3), keepdims=0)
    columns = g.add("ReduceMean", g.add("Relu", t), axes=[2], keepdims=0)
    return g.add("Concat", rows, columns, axis=1)


def batch_norm(g):
    t = g.add(
        "BatchNormalization", image(g), numbers(1), numbers(1, seed=1), numbers(1, seed=2), numbers(1) ** 2
    )
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    t = g.add("Relu", g.add("MatMul", g.add("Flatten", t), numbers(16, 40)))
    t = g.add("Reshape", t, integers(1, 1, 5, 8))
    return g.add("BatchNormalization", t, one, zero, zero, one - np.float32(1e-5), epsilon=1e-5)


def shifted(g):
    """Constants on either side of a difference."""
    t = g.add("Sub", np.float32(3), g.add("Sub", head(g), numbers(4)))
    return g.add("Relu", g.add("Gemm", t, numbers(4, 9), numbers(9)))


def rms(g, power=2.0, axes=(-1,), divide=True, other=False):
    """``x / sqrt(mean of x^2 + eps)``, or something close to it."""
    t = g.add("Reshape", head(g, 6), integers(1, 2, 3))
    squares = g.add("Pow", g.add("Neg", t) if other else t, np.float32(power))
    root = g.add("Sqrt", g.add("Add", g.add("ReduceMean", squares, axes=[*axes]), np.float32(1e-5)))
    return g.add("Div", t, root) if divide else g.add("Mul", g.add("Reciprocal", root), t)


def identities(g):
    """Maps that change nothing, also as a link of their own."""
    t = g.add("InstanceNormalization", image(g), numbers(1), numbers(1, seed=1))
    return g.add("Add", g.add("Mul", t, np.float32(1)), np.zeros(4, np.float32))


BUILDS = [
    residual,
    minus,
    of_three,
    max_pool,
    reduce_max,
    augmented,
    norms,
    paired,
    opaque_twice,
    clipped,
    sums,
    batch_norm,
    identities,
    shifted,
]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_the_importers_links_are_found(build, tmp_path):
    graph = Graph((1, 4))
    path = save(graph.model(build(graph)), tmp_path)
    records = trace(path).link_records()
    found = read_onnx_links(path, named(records))
    assert [one.sha256 for one in found] == [one.sha256 for one in records]
    assert found.link_records() is found
    if all(step.kind != "opaque" for link in found for step in link.steps):
        x = numbers(1, 4, seed=3)
        u = x.ravel().astype(float)
        for link in found:
            u = reference.evaluate(link, u)
        assert u == pytest.approx(evaluate(path, x).ravel(), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_links_of_other_models_are_not_found(build, tmp_path):
    """One weight is another; whatever the importer finds there is not in the first file."""
    graph = Graph((1, 4))
    path = save(graph.model(build(graph)), tmp_path)
    known = named(trace(path).link_records())
    rng, folder = np.random.default_rng(0), tmp_path / "other"
    folder.mkdir()
    for _ in range(4):
        other = Graph((1, 4))
        output = build(other)
        changed = [t for t in other.initializers if t.data_type == 1]
        tensor = changed[rng.integers(len(changed))]
        values = np.frombuffer(tensor.raw_data, np.float32).copy()
        values[rng.integers(len(values))] += 0.5
        tensor.raw_data = values.tobytes()
        records = trace(save(other.model(output), folder)).link_records()
        if [one.sha256 for one in records] == [one.sha256 for one in known.links]:
            continue  # a number that no link holds: of an opaque function
        with pytest.raises(ModelError, match="computes nothing with its numbers"):
            read_onnx_links(path, named(records))


def test_a_proof_is_checked_against_the_file(tmp_path):
    """Also one without numbers, in a process that has neither torch nor onnx."""
    path = contractive(tmp_path)
    made = proved(path)
    answer = verify(made)
    assert answer.valid and answer.grade == "exact", answer.reason
    for certificate in (made, from_json(made.to_json(rows=False))):
        assert verify(certificate, read_onnx_links(path, certificate)) == answer
    proof = tmp_path / "proof.json"
    proof.write_text(made.to_json(rows=False), encoding="utf-8")
    program = (
        "import sys; from unrelu.certificates import load, read_onnx_links, verify; "
        "made = load(sys.argv[1]); "
        "assert verify(made, read_onnx_links(sys.argv[2], made)).grade == 'exact'; "
        "assert not {'torch', 'scipy', 'onnx', 'highspy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(proof), str(path)], check=True)


@pytest.mark.parametrize(
    ("operator", "options", "known"),
    [
        ("Tanh", {}, ("tanh", None)),
        ("Sigmoid", {}, ("sigmoid", None)),
        ("Elu", {"alpha": 0.5}, ("elu", 0.5)),
        ("LeakyRelu", {}, ("leaky_relu", 0.01)),
        ("Softplus", {}, ("softplus", None)),
    ],
)
def test_functions_of_entries(operator, options, known, tmp_path):
    """They are found as what they are, and as something of which nothing is known."""
    graph = Graph((1, 4))
    t = graph.add(operator, graph.add("MatMul", "x", numbers(4, 4)), name="f", **options)
    path = save(graph.model(t), tmp_path)
    weight = numbers(4, 4).astype(float).T
    link = LinkRecord(4, (entrywise(0, weight=weight, function=known[0], parameter=known[1]),))
    made = named([link])
    assert verify(made, read_onnx_links(path, made)).valid
    u = numbers(1, 4, seed=3)
    expected = evaluate(path, u).ravel()
    assert reference.evaluate(link, u.ravel().astype(float)) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    (found,) = read_onnx_links(path, named([LinkRecord(4, (LinkStep.opaque("f", "f", (0,), 4, 4),))]))
    assert found.last.kind == "opaque"
    other = entrywise(0, weight=weight, function="leaky_relu", parameter=0.5)
    with pytest.raises(ModelError, match="computes nothing"):
        read_onnx_links(path, named([LinkRecord(4, (other,))]))


def test_all_links_must_be_there(tmp_path):
    path = contractive(tmp_path)
    made = proved(path)
    short = dataclasses.replace(made, proofs=made.proofs[:1])
    with pytest.raises(ModelError, match="does not end behind the 1 links"):
        read_onnx_links(path, short)
    twice = dataclasses.replace(made, proofs=(*made.proofs, made.proofs[1]))
    with pytest.raises(ModelError, match=r"link 3 .*behind 'block'"):
        read_onnx_links(path, twice)
    with pytest.raises(ModelError, match=r"link 1 .*behind 'x'"):
        read_onnx_links(path, dataclasses.replace(made, proofs=made.proofs[::-1]))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g, t: g.add("MaxPool", t, kernel_shape=[2, 2], pads=[1, 0, 1, 0]), "only windows without"),
        (
            lambda g, t: g.add("MaxPool", t, kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
            "only windows without",
        ),
        (lambda g, t: g.add("MaxPool", t, kernel_shape=[3, 3], ceil_mode=1), "only windows without"),
        (lambda g, t: g.add("MaxPool", t, kernel_shape=[2, 2], dilations=[2, 1]), "only windows without"),
        (lambda g, t: g.add("MaxPool", t, kernel_shape=[2, 2], outputs=2)[0], "only windows without"),
        (lambda g, t: g.add("LayerNormalization", t, numbers(4), outputs=2)[0], "only the first output"),
        (lambda g, t: g.add("BatchNormalization", t, *[numbers(1)] * 3, -numbers(1)), "a variance is not"),
        (
            lambda g, t: g.add("BatchNormalization", t, *[numbers(1)] * 4, training_mode=1, outputs=3)[0],
            "statistics of the batch",
        ),
        (lambda g, t: g.add("LeakyRelu", t, alpha=0.5, beta=1.0), "option 'beta'"),
        (lambda g, t: g.add("Pow", t, numbers(3)), "do not fit each other"),
    ],
)
def test_what_is_refused(build, message, tmp_path):
    """Options that would change what is computed, and shapes that do not fit."""
    graph = Graph((1, 4))
    path = save(graph.model(build(graph, image(graph)), infer=False), tmp_path)
    with pytest.raises(ModelError, match=message):
        read_onnx_links(path, named([head_alone()]))


def head_alone() -> LinkRecord:
    """What `head` is, for a model that the importer does not read either."""
    weight, bias = numbers(4, 4, seed=9).astype(float), numbers(4).astype(float)
    return LinkRecord(4, (relu(0, weight=weight.T, bias=bias),))


def test_a_step_reads_all_that_the_model_reads(tmp_path):
    """A link that leaves out what is passed on has the same numbers elsewhere."""
    graph = Graph((1, 4))
    inner, outer = numbers(4, 3), numbers(7, 4, seed=1)
    z = graph.add("Relu", graph.add("MatMul", "x", inner))
    y = graph.add("MatMul", graph.add("Concat", "x", z, axis=1), outer)
    path = save(graph.model(y), tmp_path)
    inner, outer = (v.astype(float).T for v in (inner, outer))
    cases = (outer, (0, 1), True), (outer[:, 4:], (1,), False), (outer[:, :4], (0,), False)
    for weight, source, found in cases:
        made = named([LinkRecord(4, (relu(0, weight=inner), affine(*source, weight=weight)))])
        if found:
            assert read_onnx_links(path, made)[0].last.inputs == source
        else:
            with pytest.raises(ModelError, match="computes nothing with its numbers"):
                read_onnx_links(path, made)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, True),
        ({"divide": False}, True),
        ({"axes": (1, 2)}, False),
        ({"axes": (1,)}, False),
        ({"power": 3.0}, False),
        ({"other": True}, False),
    ],
)
def test_root_mean_squares_are_recognised(options, found, tmp_path):
    """Also by the importer; what is close to it is not taken for it."""
    graph = Graph((1, 4))
    path = save(graph.model(rms(graph, **options)), tmp_path)
    weight, bias = numbers(4, 6, seed=9).astype(float).T, numbers(6).astype(float)
    norm = NormRecord(np.ones(6), np.zeros(6), 3, float(np.float32(1e-5)), centred=False)
    step = LinkStep("normalised", (0,), dense(np.eye(6)), norm=norm)
    made = named([LinkRecord(4, (relu(0, weight=weight, bias=bias),)), LinkRecord(6, (step,))])
    if found:
        assert read_onnx_links(path, made)[1].sha256 == trace(path).link_records()[1].sha256
    else:
        with pytest.raises(ModelError, match="link 2"):
            read_onnx_links(path, made)


def test_what_is_not_known_reads_nothing_else(tmp_path):
    """A function of the model's input, which a link behind the first layer does not read."""
    weight = numbers(4, 5)
    for source, found in ((None, True), ("x", False)):
        graph = Graph((1, 4))
        t = graph.add("Relu", graph.add("MatMul", "x", weight))
        path = save(graph.model(graph.add("Concat", t, graph.add("Sin", source or t), axis=1)), tmp_path)
        layer = LinkRecord(4, (relu(0, weight=weight.astype(float).T),))
        size = 4 if source else 5
        unknown = LinkStep.opaque("g", "g", (0,), 5, size)
        made = named([layer, LinkRecord(5, (unknown, affine(0, 1, weight=np.eye(5 + size))))])
        if found:
            assert [len(link.steps) for link in read_onnx_links(path, made)] == [1, 2]
        else:
            with pytest.raises(ModelError, match="link 2"):
                read_onnx_links(path, made)


def test_operators_that_are_not_read_are_named(tmp_path):
    graph = Graph((1, 4))
    t = head(graph)
    path = save(graph.model(graph.add("Add", t, graph.add("CumSum", t, integers(1)[0], name="c"))), tmp_path)
    with pytest.raises(ModelError, match=r"node 'c' \(CumSum\): the operator is not read here"):
        read_onnx_links(path, named([head_alone()]))
