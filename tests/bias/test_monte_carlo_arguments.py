"""What an estimate takes, gives back and refuses."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from unrelu import Ball, Box, Orthant, Polytope, ReLULayer, Space, Sphere, estimate_bias
from unrelu.bias import a_posteriori_epsilon, a_priori_epsilon, patience_epsilon
from unrelu.bias._samples import Drawn
from unrelu.datasets import Dataset
from unrelu.domains import Smoothed
from unrelu.errors import ArgumentError

WEIGHT = np.random.default_rng(2).standard_normal((8, 3))
LAYER = ReLULayer(WEIGHT)
DATA = np.random.default_rng(3).standard_normal((40, 3))
NAN = DATA.copy()
NAN[3, 1] = np.nan


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": ReLULayer(WEIGHT.T)}, r"layer: expected m >= n, .* m=3 < n=8"),
        ({"layer": ReLULayer(WEIGHT[:, [0, 0, 1]])}, r"layer: expected rows that span R\^3, got rank 2"),
        (
            {"layer": ReLULayer(WEIGHT[:, [0, 0, 1]]), "assume_general_position": True},
            r"layer: expected rows that span R\^3, got rank 2",
        ),
        ({"data": NAN}, "data: expected finite numbers"),
        ({"data": torch.from_numpy(NAN)}, "data: expected finite numbers"),
        ({"data": NAN, "n_samples": 1}, "data: expected finite numbers"),
        ({"data": NAN.tolist()}, "data: expected finite numbers"),
        ({"data": DATA.astype(complex)}, "data: expected real numbers"),
        ({"data": [[1.0], [2.0, 3.0]]}, "data: expected numbers in a regular array"),
        ({"data": DATA[:, :2]}, r"data: expected an array of shape \(\.\.\., 3\), got \(40, 2\)"),
        ({"data": DATA[0]}, "data: expected at least one sample"),
        ({"data": DATA[:0]}, "data: expected at least one sample"),
        ({"data": "mnist"}, "data: expected real numbers"),
        ({"data": np.full((4, 3), 1.7e308)}, "data: expected products .* finite in torch.float64"),
        ({"noise_std": -0.1}, "noise_std: expected a number that is not negative"),
        ({"noise_std": np.inf}, "noise_std: expected finite numbers"),
        ({"data": Smoothed(DATA, 0.1), "noise_std": 0.1}, "noise_std: expected 0, for Smoothed"),
        ({"data": Ball(), "noise_std": 0.1, "n_samples": 9}, "noise_std: expected 0, for Ball"),
        ({"n_samples": 0}, "n_samples: expected a whole number of at least 1, got 0"),
        ({"n_samples": 2.5}, "n_samples: expected a whole number"),
        ({"patience": 0}, "patience: expected a whole number of at least 1, got 0"),
        ({"patience": True}, "patience: expected a whole number"),
        ({"patience": 11, "n_samples": 10}, "patience: expected at most 10, .* got 11"),
        ({"patience": 41}, "patience: expected at most 40, .* got 41"),
        ({"data": Ball(), "patience": 11, "n_samples": 10}, "patience: expected at most 10, .* got 11"),
        ({"data": Ball()}, "n_samples: a domain needs n_samples or patience"),
        ({"data": Ball([0.0, 1.0]), "n_samples": 5}, "data: expected a domain of dimension 3, got 2"),
        ({"data": Space(), "n_samples": 5}, "data: expected a domain that can be sampled; .*unbounded"),
        ({"data": Orthant(), "n_samples": 5}, "data: expected a domain that can be sampled; .*unbounded"),
        ({"data": Box(0.0, np.inf), "n_samples": 5}, "data: .* a bound is infinite"),
        ({"data": Polytope(np.eye(3), 1.0), "n_samples": 5}, "data: .* no uniform sampler"),
        ({"confidence": 0.0}, "confidence: expected a number between 0 and 1, both excluded, got 0.0"),
        ({"confidence": 1}, "confidence: expected a number between 0 and 1, both excluded, got 1"),
        ({"confidence": "high"}, "confidence: expected a number between 0 and 1, both excluded, got 'high'"),
        ({"seed": -1}, "seed: expected a whole number of at least 0"),
        ({"chunk_bytes": 0}, "chunk_bytes: expected a whole number of at least 1"),
        ({"n_jobs": 0}, "n_jobs: expected a whole number other than 0, got 0"),
        ({"n_jobs": "all"}, "n_jobs: expected a whole number other than 0, got 'all'"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        estimate_bias(**{"layer": LAYER, "data": DATA, **arguments})
    assert "\n" not in str(caught.value)


def test_epsilon_of_a_fixed_number():
    got = estimate_bias(LAYER, DATA, confidence=0.9)
    assert got.n_samples == 40
    assert got.epsilon == a_posteriori_epsilon(40, got.n_support, 1 - 0.9)
    assert got.epsilon_prior == a_priori_epsilon(40, 8, 1 - 0.9)
    assert (got.confidence, got.patience, got.noise_std, got.seed) == (0.9, None, 0.0, 0)


def test_epsilon_with_patience():
    got = estimate_bias(LAYER, Sphere(), patience=100)
    assert got.epsilon == patience_epsilon(100, got.n_changes, 1 - 0.99)


def test_two_ways_to_end_share_the_confidence():
    got = estimate_bias(LAYER, Sphere(), n_samples=5000, patience=100)
    assert got.converged
    assert got.epsilon == patience_epsilon(100, got.n_changes, (1 - 0.99) / 2)
    got = estimate_bias(LAYER, Sphere(), n_samples=120, patience=100)
    assert not got.converged
    assert got.epsilon == a_posteriori_epsilon(120, got.n_support, (1 - 0.99) / 2)
    assert got.epsilon_prior == a_priori_epsilon(120, 8, (1 - 0.99) / 2)


def test_fresh_samples_lower_it_as_rarely_as_promised():
    got = estimate_bias(LAYER, DATA, noise_std=0.5, n_samples=3000)
    fresh = Smoothed(DATA, 0.5).sample(20_000, torch.Generator().manual_seed(99)).numpy()
    C = fresh @ WEIGHT.T
    tau = np.sort(C, axis=1)[:, [-3]]
    assert ((tau <= C) & (got.alpha > C)).any(axis=1).mean() <= got.epsilon


@pytest.mark.parametrize("layer_dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("data_dtype", [np.float32, np.float64, np.int64])
def test_dtypes_and_kinds(layer_dtype, data_dtype):
    layer, data = LAYER.to(dtype=layer_dtype), (4 * DATA).astype(data_dtype)
    got = estimate_bias(layer, data)
    assert got.alpha.dtype == (np.float64 if layer_dtype == torch.float64 else np.float32)
    assert isinstance(got.support, np.ndarray)
    tensor = torch.from_numpy(data)
    same = estimate_bias(layer, tensor.requires_grad_(tensor.is_floating_point()))
    assert np.array_equal(estimate_bias(layer, data.tolist()).alpha, got.alpha)
    assert isinstance(same.alpha, torch.Tensor) and isinstance(same.support, torch.Tensor)
    assert np.array_equal(same.alpha, got.alpha)
    assert np.array_equal(estimate_bias(layer, Dataset("d", data.astype(np.float64))).alpha, got.alpha)
    noisy = [estimate_bias(layer, d, noise_std=0.1, n_samples=50).alpha for d in (data, tensor)]
    assert np.array_equal(*noisy)
    assert isinstance(estimate_bias(layer, Smoothed(tensor), n_samples=9).alpha, torch.Tensor)
    assert isinstance(estimate_bias(layer, Sphere(), n_samples=9).alpha, np.ndarray)


@pytest.mark.cuda
def test_on_a_gpu():
    layer, data = LAYER.to(device="cuda"), torch.from_numpy(4 * DATA).round()
    weight = torch.from_numpy(4 * WEIGHT).round()
    exact = ReLULayer(weight.cuda())
    for options in ({}, {"assume_general_position": False}):
        got = estimate_bias(exact, data.cuda(), **options)
        assert got.alpha.device.type == "cuda"
        expected = estimate_bias(ReLULayer(weight), data, **options)
        assert torch.equal(got.alpha.cpu(), expected.alpha)
        assert torch.equal(got.support.cpu(), expected.support)
    assert estimate_bias(exact, data).alpha.device.type == "cpu"
    assert estimate_bias(layer, Sphere(), patience=200).converged
    assert estimate_bias(layer, data.cuda(), noise_std=0.1, n_samples=3000).n_samples == 3000


def test_data_are_neither_copied_nor_changed():
    data = DATA[::-1].copy()
    data.flags.writeable = False
    assert np.array_equal(estimate_bias(LAYER, data[::-1]).alpha, estimate_bias(LAYER, DATA).alpha)


def test_default_number_of_draws():
    assert estimate_bias(LAYER, DATA, noise_std=0.1).n_samples == 10_000
    assert estimate_bias(LAYER, Smoothed(DATA)).n_samples == 10_000


def test_threads_of_others_are_left_alone():
    before = torch.get_num_threads()
    estimate_bias(LAYER, DATA, noise_std=0.1, n_jobs=3)
    assert torch.get_num_threads() == before


def test_progress(capfd):
    estimate_bias(LAYER, Sphere(), patience=50, progress=True)
    assert not capfd.readouterr().out


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted(monkeypatch, jobs):
    rows = Drawn.rows

    def interrupted(self, start, stop):
        if start >= 8192:
            raise KeyboardInterrupt
        return rows(self, start, stop)

    whole = estimate_bias(LAYER, Sphere(), n_samples=8192, n_jobs=jobs)
    monkeypatch.setattr(Drawn, "rows", interrupted)
    got = estimate_bias(LAYER, Sphere(), n_samples=10**9, n_jobs=jobs)
    assert got.partial and not whole.partial
    assert got.n_samples == 8192
    assert np.array_equal(got.alpha, whole.alpha)
    assert got.epsilon == whole.epsilon
    monkeypatch.setattr(Drawn, "rows", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        estimate_bias(LAYER, Sphere(), n_samples=100, n_jobs=jobs)


PROGRAM = """
import re
import numpy as np, torch
from unrelu import ReLULayer, Sphere, estimate_bias

peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
layer = ReLULayer(np.random.default_rng(0).standard_normal((96, 64)))
estimate_bias(layer, Sphere(), n_samples=5_000, n_jobs=2)
before = peak()
estimate_bias(layer, Sphere(), n_samples=200_000, n_jobs=2)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_samples():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 << 10  # KiB; inputs and products are 250 MB
