import pytest
import torch

from tests.layers.maps.linear_maps import check_linear, numbers
from tests.reference.layers import matrix_of, reindexed
from unrelu.layers import Diagonal, Reindex

INDICES = {
    "identity": [0, 1, 2, 3],
    "permutation": [2, 0, 3, 1],
    "repeated": [0, 0, 3, 3, 3, 1],
    "dropped": [3, 1],
    "padded": [-1, 0, -1, 2, -1],
    "repeated, dropped and padded": [2, -1, 2, 0],
    "nothing kept": [-1, -1],
}
MOVEMENTS = {
    "transpose": lambda t: t.transpose(0, 1),
    "slice": lambda t: t[1:, ::2],
    "pad": lambda t: torch.nn.functional.pad(t, (1, 2, 0, 1)),
    "repeat": lambda t: t.repeat(2, 1),
    "expand": lambda t: t[:, None].expand(3, 2, 4),
    "flip": lambda t: t.flip(1),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES.keys())
def test_reindex(index: list[int]):
    check_linear(Reindex(torch.tensor(index), (4,), (len(index),)), reindexed(index, 4))


@pytest.mark.parametrize("move", MOVEMENTS.values(), ids=MOVEMENTS.keys())
def test_movement(move):
    linear, shape = Reindex.moving(move, (3, 4))
    assert shape == linear.out_shape == tuple(move(torch.zeros(3, 4)).shape)
    check_linear(linear, matrix_of(move, (3, 4)))


def test_rank_of_a_movement_counts_what_is_kept():
    assert Reindex(torch.tensor([1, 1, -1, 3]), (4,), (4,)).max_rank == 2


@pytest.mark.parametrize("scale", [[1.0, -2.0, 0.5], [0.0, 1e-300, -1e300], [0.0, 0.0, 0.0]], ids=str)
def test_diagonal(scale: list[float]):
    linear = Diagonal(torch.tensor(scale, dtype=torch.float64), (3,))
    assert torch.equal(linear.dense(), torch.diag(linear.scale))
    assert linear.max_rank == sum(entry != 0 for entry in scale)
    if max(map(abs, scale)) < 10:
        check_linear(linear, torch.diag(linear.scale))


def test_identity_returns_its_argument():
    x = numbers(2, 6)
    identity = Reindex.identity((2, 3))
    assert identity.apply(x) is x
    assert identity.adjoint(x) is x
    assert identity.is_identity
