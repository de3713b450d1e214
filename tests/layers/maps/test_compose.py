from itertools import product

import pytest
import torch

from tests.layers.maps.linear_maps import check_linear, numbers
from unrelu.layers import Compose, Convolution, Dense, Diagonal, Reindex, Sum, Transpose, compose

# Maps of R^4 = (2, 2) or (1, 4) to itself, so that all of them compose.
SQUARE = {
    "dense": Dense(numbers(4, 4)),
    "diagonal": Diagonal(numbers(4, seed=1), (4,)),
    "permutation": Reindex(torch.tensor([2, 0, 3, 1]), (4,), (4,)),
    "repeats": Reindex(torch.tensor([1, 1, 3, -1]), (4,), (4,)),
    "identity": Reindex.identity((2, 2)),
    "convolution": Convolution(numbers(1, 1, 3, seed=2), (1, 4), padding=((1, 1),)),
    "channels": Convolution(numbers(2, 2, 1, seed=3), (2, 2)),
    "transposed": Transpose(Convolution(numbers(1, 1, 3, seed=4), (1, 4), padding=((1, 1),))),
    "sum": Sum([Reindex.identity((4,)), Dense(numbers(4, 4, seed=5))]),
    "product": Compose(Dense(numbers(4, 2, seed=6)), Dense(numbers(2, 4, seed=7))),
}
PAIRS = list(product(SQUARE, SQUARE))


@pytest.mark.parametrize("name", SQUARE)
def test_maps_themselves(name: str):
    check_linear(SQUARE[name], SQUARE[name].dense().clone())


@pytest.mark.parametrize(("outer", "inner"), PAIRS, ids=map(" after ".join, PAIRS))
def test_product(outer: str, inner: str):
    matrix = SQUARE[outer].dense() @ SQUARE[inner].dense()
    check_linear(Compose(SQUARE[outer], SQUARE[inner]), matrix)
    # Numbers multiplied once, when the map is made, are the stored numbers from then on.
    simplest = compose(SQUARE[outer], SQUARE[inner])
    assert torch.allclose(simplest.dense(), matrix, rtol=0, atol=1e-14)
    check_linear(simplest, simplest.dense().clone())


@pytest.mark.parametrize("name", SQUARE)
@pytest.mark.parametrize("other", SQUARE)
def test_sum(name: str, other: str):
    linear = Sum([SQUARE[name], SQUARE[other]])
    check_linear(linear, SQUARE[name].dense() + SQUARE[other].dense())
    assert not linear.exact


@pytest.mark.parametrize("name", ["dense", "diagonal", "permutation", "repeats", "convolution", "channels"])
def test_transpose(name: str):
    check_linear(Transpose(SQUARE[name]), SQUARE[name].dense().T.clone())
    assert Transpose(SQUARE[name]).exact


STRUCTURE = {
    ("dense", "permutation"): Dense,
    ("diagonal", "dense"): Dense,
    ("diagonal", "diagonal"): Diagonal,
    ("permutation", "repeats"): Reindex,
    ("identity", "convolution"): Convolution,
    ("convolution", "identity"): Convolution,
    ("dense", "identity"): Dense,
    ("dense", "convolution"): Compose,
    ("dense", "repeats"): Compose,
}


@pytest.mark.parametrize(("pair", "kind"), STRUCTURE.items(), ids=str)
def test_simplest_form(pair: tuple[str, str], kind: type):
    assert type(compose(SQUARE[pair[0]], SQUARE[pair[1]])) is kind


def test_scale_of_channels_goes_into_the_kernel():
    convolution = Convolution(numbers(3, 2, 2), (2, 4))
    scale = numbers(3, seed=1)
    per_channel = Diagonal(scale.repeat_interleave(3), (3, 3))
    folded = compose(per_channel, convolution)
    assert isinstance(folded, Convolution)
    check_linear(folded, per_channel.scale[:, None] * convolution.dense())
    uneven = Diagonal(numbers(9, seed=2), (3, 3))
    assert isinstance(compose(uneven, convolution), Compose)


def test_sparse_and_dense_paths_agree():
    large = Convolution(numbers(1, 1, 3), (1, 60), padding=((1, 1),))
    twice = Compose(large, large)
    assert twice.is_sparse
    check_linear(twice, large.dense() @ large.dense())
    both = Sum([large, Reindex.identity((1, 60))])
    assert both.is_sparse
    check_linear(both, large.dense() + torch.eye(60, dtype=torch.float64))


def test_entries_are_bounded_where_one_row_is_picked_again_and_again():
    inner = Sum([Transpose(Reindex(torch.zeros(20, dtype=torch.int64), (1,), (20,))), Dense(numbers(1, 20))])
    outer = Transpose(Convolution(numbers(1, 1, 5), (1, 5)))
    check_linear(Compose(outer, inner), outer.dense() @ inner.dense())


def test_exactness():
    dense, convolution = SQUARE["dense"], SQUARE["convolution"]
    assert Compose(SQUARE["repeats"], convolution).exact
    assert Compose(convolution, SQUARE["permutation"]).exact
    assert not Compose(convolution, SQUARE["repeats"]).exact
    assert not Compose(dense, convolution).exact
