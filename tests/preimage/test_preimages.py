"""Batches of preimages against one at a time."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.recipes import RECIPES
from unrelu import Box, ReLULayer, preimage, preimages
from unrelu.layers import Convolution
from unrelu.preimage import _classify, _preimages


@pytest.mark.parametrize("name", ["generic", "integers", "on_hyperplanes", "rank_deficient", "no_rows"])
@pytest.mark.parametrize("domain", [None, Box(-9, 9)])
def test_batch_is_many_singles(name, domain):
    recipe = RECIPES[name]()
    batch = preimages(recipe.layer, recipe.points, domain, n_jobs=2)
    single = [preimage(recipe.layer, x, domain=domain) for x in recipe.points]
    assert batch.kinds.tolist() == [str(result.kind) for result in single]
    assert batch.dimensions.tolist() == [result.dimension for result in single]
    assert batch.radii == pytest.approx([result.radius for result in single], rel=1e-12)
    assert batch.reasons.tolist() == [result.reason for result in single]
    assert batch.n_lp == sum(result.used_lp for result in single)
    assert "undecided" not in batch.kinds


def test_points_need_no_linear_program(rng):
    layer = ReLULayer(rng.standard_normal((60, 10)))
    batch = preimages(layer, rng.standard_normal((200, 10)))
    assert batch.n_lp == 0
    assert set(batch.kinds) == {"singleton"}
    narrow = preimages(ReLULayer(rng.standard_normal((36, 20))), rng.standard_normal((100, 20)))
    assert narrow.n_lp == 0
    assert "undecided" not in narrow.kinds


@pytest.mark.parametrize("chunk", [1, 4096])
def test_parts_change_nothing(rng, monkeypatch, chunk):
    layer = ReLULayer(rng.standard_normal((9, 4)), rng.standard_normal(9))
    X = rng.standard_normal((23, 4))
    expected = preimages(layer, X)
    monkeypatch.setattr(_preimages, "_CHUNK_BYTES", chunk)
    found = preimages(layer, X, n_jobs=1)
    assert np.array_equal(found.kinds, expected.kinds)
    assert np.array_equal(found.dimensions, expected.dimensions)


@pytest.mark.parametrize("shape", [(0, 8), (2, 0, 8), (2, 3, 8), (2, 3, 2, 2, 2), (8,)])
def test_shapes(shape, rng):
    layer = ReLULayer.from_module(nn.Conv2d(2, 4, 2), (2, 2, 2))
    X = rng.standard_normal(shape)
    batch = preimages(layer, torch.from_numpy(X))
    axes = shape[: -3 if len(shape) == 5 else -1]
    assert batch.kinds.shape == batch.dimensions.shape == batch.radii.shape == batch.reasons.shape == axes
    assert batch.dimensions.dtype == np.int64


def test_layers_too_large_to_be_made_dense(rng, monkeypatch):
    """Singletons come from sparse factors; the others are settled by a bounded domain, or left open."""
    monkeypatch.setattr(_classify, "_ENTRIES", 100)
    kernel = torch.from_numpy(rng.standard_normal((6, 1, 3, 3)))
    layer = ReLULayer(Convolution(kernel, (1, 24, 24), padding=((1, 1), (1, 1))))
    X = rng.random((3, 1, 24, 24)) + 0.1
    monkeypatch.setattr(layer.linear, "dense", None)
    assert set(preimages(layer, X).kinds) <= {"singleton", "undecided"}
    few = ReLULayer(Convolution(kernel[:1], (1, 24, 24), padding=((1, 1), (1, 1))))
    open_ended = preimages(few, X)
    boxed = preimages(few, X, Box(0, 2))
    assert set(open_ended.kinds) == {"undecided"}
    assert all("too many" in reason for reason in open_ended.reasons)
    assert set(boxed.kinds) == {"bounded"}
    assert (boxed.dimensions != 0).all()


def test_fewer_rows_than_inputs(rng):
    """A line is orthogonal to all rows; the dimension is what the active rows leave."""
    layer = ReLULayer.from_module(nn.Conv2d(3, 2, 3), (3, 12, 12))
    X = rng.standard_normal((4, 3, 12, 12))
    batch = preimages(layer, X)
    assert set(batch.kinds) == {"unbounded"}
    active = (layer.apply(X).reshape(4, -1) > 0).sum(axis=1)
    assert batch.dimensions.tolist() == (layer.n - active).tolist()
    line = preimage(layer, X[0]).proof.recession.direction
    assert np.abs(layer.dense().double().numpy() @ line).max() <= 1e-12
    dead = ReLULayer(np.hstack([rng.standard_normal((9, 3)), np.zeros((9, 1))]))
    assert preimage(dead, np.ones(4)).proof.recession.direction.tolist() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("entries", [0, 10**7])
def test_pixels_at_the_border_of_a_box(entries, rng, monkeypatch):
    """The same whether the rows are held as a dense matrix or not."""
    monkeypatch.setattr(_classify, "_ENTRIES", entries)
    layer = ReLULayer.from_module(nn.Conv2d(3, 2, 3), (3, 12, 12))
    X = rng.random((3, 3, 12, 12)).clip(0.1, 0.9).round(1) - 0.1
    batch = preimages(layer, X, Box(0, 0.8))
    assert set(batch.kinds) == {"bounded"}
    active = (layer.apply(X).reshape(3, -1) > 0).sum(axis=1)
    assert batch.dimensions.tolist() == (layer.n - active).tolist()


def test_points_outside_are_counted(rng):
    with pytest.raises(unrelu.errors.ArgumentError, match="2 outside"):
        preimages(ReLULayer(np.eye(2)), np.array([[0.5, 0.5], [2.0, 0.0], [0.0, -1.0]]), Box(0, 1))
