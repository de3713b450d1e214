"""Links of the usual blocks, small, and their proofs."""

import numpy as np

from unrelu.certificates import (
    AloneProof,
    ContractionProof,
    DomainRecord,
    EntryFunction,
    LayerRecord,
    LinkRecord,
    LinksCertificate,
    LinkStep,
    MaximaProof,
    NormalisationProof,
    NormRecord,
    StructureCertificate,
    layer_alone,
    verify,
)


def dense(weight, bias=None, name: str = "step") -> LayerRecord:
    weight = np.asarray(weight, dtype=float)
    return LayerRecord.dense(weight, np.zeros(len(weight)) if bias is None else bias, name=name, node=name)


def space(n: int) -> DomainRecord:
    return DomainRecord("space", n)


def affine(*inputs, weight, bias=None) -> LinkStep:
    return LinkStep("affine", inputs, dense(weight, bias))


def relu(*inputs, weight, bias=None) -> LinkStep:
    return LinkStep("relu", inputs, dense(weight, bias))


def maximum(groups, weight, bias=None) -> LinkStep:
    return LinkStep("maximum", (0,), dense(weight, bias), groups=np.asarray(groups))


def entrywise(*inputs, weight, function: str = "tanh", parameter: float | None = None) -> LinkStep:
    return LinkStep("entrywise", inputs, dense(weight), function=EntryFunction(function, parameter))


def normalised(count: int, weight, gain=None, eps: float = 1e-5, centred: bool = True) -> LinkStep:
    m = len(weight)
    norm = NormRecord(np.ones(m) if gain is None else gain, np.linspace(-1, 1, m), count, eps, centred)
    return LinkStep("normalised", (0,), dense(weight, name="norm"), norm=norm)


def residual(inner, outer, shortcut=None, factor: float = 1.0) -> LinkRecord:
    """``shortcut u + factor * outer relu(inner u)``, the factor in a step of its own where it is not 1."""
    n = inner.shape[1]
    shortcut = np.eye(n) if shortcut is None else shortcut
    first = relu(0, weight=inner)
    if factor == 1.0:
        return LinkRecord(n, (first, affine(0, 1, weight=np.hstack([shortcut, outer]))))
    scaled = np.hstack([shortcut, factor * np.eye(len(outer))])
    return LinkRecord(n, (first, affine(1, weight=outer), affine(0, 2, weight=scaled)))


def pooling(windows: int, size: int, details) -> LinkRecord:
    """Maxima of windows side by side, and then the details of each."""
    n, details = windows * size, np.asarray(details, dtype=float)
    below = np.kron(np.eye(windows), details)
    weight = np.block([[np.zeros((windows, n)), np.eye(windows)], [below, np.zeros((len(below), windows))]])
    groups = np.arange(n).reshape(windows, size)
    return LinkRecord(n, (maximum(groups, np.eye(n)), affine(0, 1, weight=weight)))


def augmented(groups: int, count: int, told) -> LinkRecord:
    """Entries normalised by groups, then rows of the input, and the scales, of which nothing is known."""
    n, told = groups * count, np.asarray(told, dtype=float)
    weight = np.zeros((n + len(told) + groups, 2 * n + groups))
    weight[:n, n : 2 * n], weight[n : n + len(told), :n] = np.eye(n), told
    weight[n + len(told) :, 2 * n :] = np.eye(groups)
    scale = LinkStep.opaque("scale", "scale", (0,), n, groups)
    return LinkRecord(n, (normalised(count, np.eye(n)), scale, affine(0, 1, 2, weight=weight)))


def skip(kept, m: int) -> LinkRecord:
    """Rows of the input, and then something of which nothing is known, behind a ReLU."""
    rows, n = kept.shape
    weight = np.block([[kept, np.zeros((rows, m))], [np.zeros((m, n)), np.eye(m)]])
    return LinkRecord(n, (LinkStep.opaque("g", "g", (0,), n, m), relu(0, 1, weight=weight)))


def pairs(layer: LayerRecord) -> StructureCertificate:
    """Row ``i`` and row ``i + n`` are opposite."""
    n = layer.n
    numbers = np.column_stack([np.arange(n), np.arange(n, 2 * n)])
    return StructureCertificate(layer, space(n), numbers, np.zeros(0, dtype=np.int64))


def alone(link: LinkRecord) -> AloneProof:
    """With a pair for each entry of the input."""
    return AloneProof(link, pairs(layer_alone(link)))


def examples():
    """A proof of every kind."""
    eye = np.eye(3)
    inner, outer = np.array([[0.5, 0.0, 1.0], [0.0, -0.5, 0.25]]), np.array([[0.25, 0], [0, 0.5], [0.125, 0]])
    block = residual(inner, outer)
    yield ContractionProof(block)
    yield ContractionProof(block, (np.arange(3), np.array([0, 1]), np.arange(3)))
    yield AloneProof(LinkRecord(3, (affine(0, weight=np.vstack([eye, np.ones((1, 3))])),)))
    yield alone(LinkRecord(3, (affine(0, weight=2 * eye, bias=np.ones(3)),)))
    yield alone(skip(np.vstack([eye, -eye]), 2))
    yield AloneProof(LinkRecord(3, (entrywise(0, weight=2 * eye, function="leaky_relu", parameter=0.25),)))
    curved = entrywise(0, weight=eye), affine(0, 1, weight=np.hstack([eye, -0.5 * eye]))
    yield ContractionProof(LinkRecord(3, curved))
    yield MaximaProof(pooling(2, 2, [[1, -1]]))
    yield NormalisationProof(augmented(2, 2, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]))
    yield NormalisationProof(LinkRecord(4, (normalised(2, np.eye(4)),)), given="means")
    yield NormalisationProof(LinkRecord(4, (normalised(2, np.eye(4), eps=0.0),)), given="statistics")
    yield NormalisationProof(LinkRecord(4, (normalised(4, np.eye(4), centred=False),)))


def holds(*proofs) -> bool:
    """Whether a network of these links is proved to be injective on R^n."""
    first = proofs[0]
    n = getattr(first, "link", None) or first.layer
    return verify(LinksCertificate(space(n.n), proofs)).valid


def reason(*proofs) -> str:
    first = proofs[0]
    return verify(LinksCertificate(space(first.link.n), proofs)).reason
