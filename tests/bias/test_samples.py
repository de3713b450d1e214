"""Samples come out the same however many are made at a time, and independent of one another."""

import numpy as np
import pytest
import torch

from unrelu import Ball, ReLULayer, Sphere, estimate_bias
from unrelu.bias._samples import Drawn, _mixed, power_of_two_below

INTEGERS = np.random.default_rng(0).integers(-3, 4, (40, 5)).astype(float)
LAYER = ReLULayer(np.vstack([np.eye(5), np.random.default_rng(1).integers(-3, 4, (9, 5))]))


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("chunk_bytes", [1, 10_000, None])
def test_chunks_and_threads(jobs, chunk_bytes):
    for assume, samples in ((True, 3000), (False, 300)):
        options = {"n_samples": samples, "seed": 7}
        expected = estimate_bias(LAYER, INTEGERS, **options, assume_general_position=assume, n_jobs=1)
        got = estimate_bias(
            LAYER, INTEGERS, **options, assume_general_position=assume, n_jobs=jobs, chunk_bytes=chunk_bytes
        )
        assert np.array_equal(got.alpha, expected.alpha)
        assert np.array_equal(got.support, expected.support)
        assert got.n_changes == expected.n_changes


@pytest.mark.parametrize("jobs", [2, 3])
@pytest.mark.parametrize("patience", [None, 400])
def test_threads_do_not_change_the_last_bit(rng, jobs, patience):
    layer = ReLULayer(rng.standard_normal((60, 37))).to(dtype=torch.float32)
    options = {"n_samples": 20_000, "patience": patience}
    one, more = (estimate_bias(layer, Sphere(), **options, n_jobs=k) for k in (1, jobs))
    assert np.array_equal(one.alpha, more.alpha)
    assert (one.n_samples, one.n_changes, one.epsilon) == (more.n_samples, more.n_changes, more.epsilon)


def test_seeds():
    layer = ReLULayer(np.random.default_rng(0).standard_normal((9, 4)))
    first, again, other = (estimate_bias(layer, Ball(), n_samples=500, seed=seed).alpha for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    estimate_bias(layer, Ball(), n_samples=500)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n", [1, 300, 1 << 20])
def test_any_part_of_the_sequence(n):
    def draw(count, generator):
        return torch.rand(count, 1, generator=generator, dtype=torch.float64)

    samples = Drawn(draw, n, 5, torch.device("cpu"))
    assert samples.block * n <= max(1 << 18, n)
    whole = samples.rows(0, 4 * samples.block + 3)
    assert len(whole) == 4 * samples.block + 3
    for start, stop in ((0, 1), (1, 2 * samples.block), (samples.block, 3 * samples.block)):
        assert torch.equal(samples.rows(start, stop), whole[start:stop])
    assert len(set(whole[:, 0].tolist())) == len(whole)


def test_numbers_of_blocks_are_mixed_without_collision():
    words = {_mixed(word) for word in range(1 << 16)}
    assert len(words) == 1 << 16
    assert max(words) > 0.99 * 2**32 and min(words) < 0.01 * 2**32


def test_powers_of_two():
    assert [power_of_two_below(k) for k in (0, 1, 2, 3, 4, 1023, 1024)] == [1, 1, 2, 2, 4, 512, 1024]
