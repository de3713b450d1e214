"""Links as records: one form, digests, and what is refused."""

import dataclasses

import numpy as np
import pytest

from tests.certificates.links.blocks import affine, dense, maximum, normalised, relu, residual
from tests.reference import links as reference
from unrelu.certificates import LayerRecord, LinkRecord, LinkStep, NormRecord
from unrelu.errors import ArgumentError


def test_the_order_of_inputs_does_not_matter(rng):
    inner, left, right = rng.standard_normal((2, 3)), rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    one = LinkRecord(3, (relu(0, weight=inner), affine(0, 1, weight=np.hstack([left, right]))))
    other = LinkRecord(3, (relu(0, weight=inner), affine(1, 0, weight=np.hstack([right, left]))))
    assert one.sha256 == other.sha256 and other.last.inputs == (0, 1)
    assert one.reference == other.reference
    u = rng.standard_normal(3)
    expected = left @ u + right @ np.maximum(inner @ u, 0)
    assert reference.evaluate(other, u) == pytest.approx(expected)


def test_steps_that_are_not_needed_are_left_out(rng):
    inner, outer = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    link = residual(inner, outer)
    more = LinkRecord(3, (affine(0, weight=np.eye(3)), *moved(link.steps)))
    assert more.sha256 == link.sha256 and len(more.steps) == 2
    assert more.sizes == (3, 2, 3) and more.nodes == ("step", "step")


def moved(steps):
    """The steps with one more in front of them."""
    return [dataclasses.replace(s, inputs=tuple(i and i + 1 for i in s.inputs)) for s in steps]


def test_parts_of_maps(rng):
    inner, outer = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    link = residual(inner, outer)
    for source, expected in ((0, np.eye(3)), (1, outer)):
        part = link.part(2, source)
        dense_part = np.zeros((part.m, part.n))
        dense_part[part.numbers, part.columns] = part.values
        assert np.array_equal(dense_part, expected)
    nothing = link.part(1, 1)
    assert (nothing.m, nothing.n, len(nothing.values)) == (2, 2, 0)
    assert link.single("relu") is None
    assert LinkRecord(3, (relu(0, weight=inner),)).single("relu").m == 2


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: LinkStep("tanh", (0,), dense(np.eye(2))), "kind"),
        (lambda: LinkStep("affine", (), dense(np.eye(2))), "inputs"),
        (lambda: LinkStep("affine", (0, 0), dense(np.ones((1, 4)))), "inputs"),
        (lambda: LinkStep("affine", (-1,), dense(np.eye(2))), "inputs"),
        (lambda: LinkStep("maximum", (0,), dense(np.eye(2))), "groups"),
        (lambda: LinkStep("relu", (0,), dense(np.eye(2)), groups=np.array([[0, 1]])), "groups"),
        (lambda: maximum([[0, 2]], np.eye(2)), "groups"),
        (lambda: maximum([[-1, 0]], np.eye(2)), "groups"),
        (lambda: maximum(np.zeros((0, 2)), np.eye(2)), "groups"),
        (lambda: LinkStep("normalised", (0,), dense(np.eye(2))), "norm"),
        (lambda: dataclasses.replace(normalised(2, np.eye(2)), kind="affine"), "norm"),
        (lambda: dataclasses.replace(normalised(2, np.eye(2)), map=dense(np.eye(4))), "norm"),
        (lambda: LinkStep("opaque", (0,), dense(np.eye(2))), "map"),
        (lambda: normalised(3, np.eye(4)), "count"),
        (lambda: normalised(0, np.eye(4)), "count"),
        (lambda: normalised(2, np.eye(4), eps=-1.0), "eps"),
        (lambda: normalised(2, np.eye(4), eps=np.inf), "eps"),
        (lambda: NormRecord(np.ones(4), np.ones(2), 2, 0.0), "offset"),
        (lambda: NormRecord(np.array([1.0, np.nan]), np.ones(2), 2, 0.0), "gain"),
        (lambda: LinkRecord(2, ()), "link"),
        (lambda: LinkRecord(0, (affine(0, weight=np.eye(2)),)), "link"),
        (lambda: LinkRecord(2, (affine(1, weight=np.eye(2)),)), "inputs"),
        (lambda: LinkRecord(2, (affine(0, weight=np.eye(3)),)), "map"),
        (lambda: LinkRecord(2, (affine(0, weight=np.eye(2)), affine(0, 1, weight=np.eye(2)))), "map"),
    ],
)
def test_what_does_not_fit_is_refused(build, named):
    with pytest.raises(ArgumentError, match=f"^{named}"):
        build()


def test_digests_tell_all_numbers_apart():
    """Also -0 from 0 is not told, since they are the same number."""
    norm = NormRecord(np.ones(2), np.zeros(2), 1, 0.0)
    assert norm.sha256 == NormRecord(np.ones(2), -np.zeros(2), 1, -0.0).sha256
    step = LinkStep("normalised", (0,), dense(np.eye(2)), norm=norm)
    digests = {
        step.sha256,
        dataclasses.replace(step, norm=dataclasses.replace(norm, count=2)).sha256,
        dataclasses.replace(step, norm=dataclasses.replace(norm, centred=False)).sha256,
        dataclasses.replace(step, norm=dataclasses.replace(norm, eps=5e-324)).sha256,
        affine(0, weight=np.eye(2)).sha256,
        relu(0, weight=np.eye(2)).sha256,
        relu(1, weight=np.eye(2)).sha256,
        maximum([[0, 1]], np.eye(2)).sha256,
        maximum([[1, 1]], np.eye(2)).sha256,
        maximum([[0], [1]], np.eye(2)).sha256,
        LinkStep.opaque("f", "f", (0,), 2, 2).sha256,
        LinkStep.opaque("f", "f", (0,), 2, 3).sha256,
    }
    assert len(digests) == 12


def test_arrays_are_not_written_to():
    step = maximum([[0, 1]], np.eye(2))
    for array in (step.groups, normalised(2, np.eye(2)).norm.gain):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert isinstance(step.map, LayerRecord)
