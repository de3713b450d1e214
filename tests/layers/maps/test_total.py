import pytest
import torch

from tests.layers.maps.linear_maps import check_linear, numbers
from unrelu.layers import Compose, Convolution, Dense, Diagonal, Reindex, Sum, compose
from unrelu.layers.maps import stacked, total

IMAGE = (2, 4, 4)


def conv(channels: int, seed: int, **options) -> Convolution:
    return Convolution(numbers(channels, 2, 2, 2, seed=seed), IMAGE, **options)


NEGATIVE = Diagonal(-torch.ones(18).double(), (2, 3, 3))
TURN = Reindex.moving(lambda t: t.permute(2, 0, 1), (4, 4, 2))[0]
STACKS = {
    "dense": ([Dense(numbers(2, 3)), Dense(numbers(4, 3, seed=1))], Dense),
    "channels": ([conv(2, 0), conv(3, 1)], Convolution),
    "strided": ([conv(2, 0, stride=(2, 2)), conv(1, 1, stride=(2, 2))], Convolution),
    "other padding": ([conv(2, 0), conv(2, 1, stride=(2, 2), padding=((1, 2), (1, 2)))], Sum),
    "moved alike": ([compose(conv(1, 0), TURN), compose(conv(2, 1), TURN)], Compose),
    "moved otherwise": ([compose(conv(1, 0), TURN), Dense(numbers(9, 32))], Sum),
    "negative": (
        [conv(2, 0), compose(NEGATIVE, conv(2, 0))],
        Convolution,
    ),
    "dense and sparse": ([Dense(numbers(2, 32)), conv(1, 1)], Sum),
    "rounded": ([Compose(Dense(numbers(3, 2)), Dense(numbers(2, 3, seed=1))), Dense(numbers(2, 3))], Sum),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacked(name):
    parts, kind = STACKS[name]
    whole = stacked(parts)
    assert isinstance(whole, kind)
    assert torch.equal(whole.dense(), torch.cat([part.dense() for part in parts]))
    check_linear(whole, whole.dense().clone())
    assert whole.exact == all(part.exact for part in parts)


def test_a_convolution_stays_one_behind_a_movement():
    whole = stacked(STACKS["moved alike"][0])
    assert isinstance(whole.outer, Convolution) and whole.outer.out_shape == (3, 3, 3)


def test_sums_that_meet():
    parts = [Dense(numbers(3, 3)), Dense(numbers(3, 3, seed=1))]
    whole = total(parts)
    assert isinstance(whole, Sum) and not whole.exact
    assert total(parts[:1]) is parts[0]


def test_parts_that_leave_rows_at_zero():
    index = torch.tensor([-1, 0, -1, 1])
    part = compose(Reindex(index, (2,), (4,)), Dense(numbers(2, 3)))
    other = compose(Reindex(torch.tensor([0, -1, -1, -1]), (1,), (4,)), Dense(numbers(1, 3, seed=1)))
    whole = total([part, other])
    assert isinstance(whole, Dense)
    assert torch.equal(whole.dense(), part.dense() + other.dense())


def test_rows_out_of_order_are_no_channels():
    turned = Reindex(torch.arange(18).flip(0), (2, 3, 3), (2, 3, 3))
    image = conv(2, 0)
    chosen = compose(turned, image)
    assert not isinstance(chosen, Convolution)
    assert torch.equal(chosen.dense(), image.dense().flip(0))
    whole = compose(Reindex(torch.arange(9, 18), (2, 3, 3), (1, 3, 3)), image)
    assert isinstance(whole, Convolution) and torch.equal(whole.dense(), image.dense()[9:])
