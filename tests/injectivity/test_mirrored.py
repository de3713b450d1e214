"""Layers of rows and their negatives: found at once, proved by rank or by blocks, never wrongly."""

import flint
import numpy as np
import pytest
import torch

from tests.recipes import RECIPES
from unrelu import Box, ReLULayer, Verdict, decide, verify
from unrelu.certificates import DomainRecord, LayerRecord
from unrelu.certificates._rows import Rows
from unrelu.injectivity._mirrored import decide_by_mirrored_rows, dominant_blocks, mirrored_pairs


def convolution(
    size: int, channels: int, taps: int, stride: int, share: float, bias: bool = True
) -> ReLULayer:
    """Pairs of kernels with one orthogonal window, and other taps whose norms have a given sum."""
    torch.manual_seed(0)
    q = channels * stride**2
    module = torch.nn.Conv2d(channels, 2 * q + 3, taps, stride=stride, padding=taps // 2, bias=bias)
    kernel = torch.randn(q, channels, taps, taps)
    norms = torch.linalg.matrix_norm(kernel.permute(2, 3, 0, 1), 2)
    kernel *= share / norms.sum()
    window = slice(taps // 2, taps // 2 + stride)
    kernel[:, :, window, window] = torch.linalg.qr(torch.randn(q, q))[0].reshape(q, channels, stride, stride)
    with torch.no_grad():
        module.weight[: 2 * q] = torch.cat([kernel, -kernel])
        if bias:
            module.bias[q : 2 * q] = -module.bias[:q]
    return ReLULayer.from_module(module, (channels, size, size))


@pytest.mark.parametrize(
    ("size", "channels", "taps", "stride", "share"),
    [(24, 1, 3, 1, 0.0), (24, 1, 3, 1, 0.6), (12, 3, 3, 1, 0.9), (24, 2, 3, 2, 0.5), (21, 1, 5, 1, 0.7)],
)
def test_convolutions_are_proved_by_blocks(size, channels, taps, stride, share):
    layer = convolution(size, channels, taps, stride, share)
    decision = decide(layer, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    certificate = decision.certificate
    assert certificate.dominance is not None
    assert verify(certificate, layer).grade == "exact"
    assert verify(type(certificate).from_json(certificate.to_json(rows=False)), layer).valid
    assert len(certificate.to_json(rows=False)) < 40 * layer.n


def test_on_a_box_and_without_bias():
    layer = convolution(22, 1, 3, 1, 0.5, bias=False)
    decision = decide(layer, Box(-1, 1), time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE
    assert verify(decision.certificate, layer).valid
    assert decide_by_mirrored_rows(layer.record(), DomainRecord("orthant", layer.n)) is not None


def test_one_pair_that_leaves_a_gap_is_not_taken():
    layer = convolution(24, 1, 3, 1, 0.5)
    record = layer.record()
    space = DomainRecord("space", layer.n)
    assert decide_by_mirrored_rows(record, space) is not None
    bias = record.bias.copy()
    bias[5] = np.nextafter(bias[5], -np.inf)
    less = LayerRecord("", "", record.n, record.starts, record.columns, record.values, bias)
    assert decide_by_mirrored_rows(less, space) is None


def test_blocks_that_do_not_dominate_are_not_taken():
    layer = convolution(24, 1, 3, 1, 4.0)
    assert decide_by_mirrored_rows(layer.record(), DomainRecord("space", layer.n)) is None


@pytest.mark.parametrize("seed", range(40))
def test_never_more_than_the_rank(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    basis = rng.integers(-2, 3, (n + int(rng.integers(0, 2)), n)).astype(float)
    weight = rng.permutation(np.vstack([basis, -basis, rng.integers(-1, 2, (3, n))]))
    record = LayerRecord.dense(weight, np.zeros(len(weight)))
    pairs = mirrored_pairs(record)
    assert len(np.unique(pairs)) == 2 * len(pairs)
    assert (weight[pairs[:, 0]] == -weight[pairs[:, 1]]).all()
    found = decide_by_mirrored_rows(record, DomainRecord("space", n))
    full = flint.fmpz_mat(weight[pairs[:, 0]].astype(int).tolist()).rank() == n if len(pairs) else False
    assert (found is not None) == full


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_singular_layers(name):
    made = RECIPES[name]()
    record = made.layer.record()
    found = decide_by_mirrored_rows(record, DomainRecord("space", record.n))
    assert (found is not None) == (name in {"antiparallel_pair", "one_dimensional"})
    assert found is None or verify(found, record).valid


def test_a_dense_layer_is_one_block(rng):
    basis = rng.standard_normal((450, 450))
    record = LayerRecord.dense(np.vstack([basis, -basis]), np.zeros(900))
    found = decide_by_mirrored_rows(record, DomainRecord("space", 450))
    assert found is not None and set(found.dominance.columns.tolist()) == {0}
    basis[7] = basis[8] + basis[9]
    singular = LayerRecord.dense(np.vstack([basis, -basis]), np.zeros(900))
    assert decide_by_mirrored_rows(singular, DomainRecord("space", 450)) is None


def test_a_column_that_no_line_uses():
    assert dominant_blocks(Rows.of(np.eye(500, 501))) is None


def test_rows_that_are_always_active_are_proved_by_blocks():
    torch.manual_seed(0)
    module = torch.nn.Conv2d(1, 2, 3, padding=1)
    with torch.no_grad():
        module.weight.mul_(0.2 / module.weight.abs().sum())
        module.weight[0, 0, 1, 1] = 1.0
        module.bias.fill_(2.0)
    layer = ReLULayer.from_module(module, (1, 24, 24))
    decision = decide(layer, Box(-1, 1), time_limit=10)
    assert decision.verdict == Verdict.INJECTIVE
    assert decision.certificate.dominance is not None and len(decision.certificate.pairs) == 0
    assert verify(decision.certificate, layer).valid


def test_pairs_of_different_lengths_are_proved_by_blocks():
    layer = convolution(24, 1, 3, 1, 0.5)
    weight = layer.linear.weight.clone()
    weight[1] *= 3.0
    bias = layer.bias.clone()
    bias[layer.n : 2 * layer.n] *= 3.0
    plain = ReLULayer(type(layer.linear)(weight, (1, 24, 24), padding=((1, 1), (1, 1))), bias)
    decision = decide(plain, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE
    assert decision.certificate.dominance is not None
    assert verify(decision.certificate, plain).valid
