"""Convolutions of thousands of inputs, decided by one window: no matrix of all rows and columns is made."""

import numpy as np
import pytest
import torch

from unrelu import Box, ReLULayer, Verdict, decide, verify


def convolution(kernels: torch.Tensor, size: int, **options) -> ReLULayer:
    module = torch.nn.Conv2d(kernels.shape[1], len(kernels), kernels.shape[2], **options)
    with torch.no_grad():
        module.weight.copy_(kernels)
        module.bias.zero_()
    return ReLULayer.from_module(module, (kernels.shape[1], size, size))


@pytest.mark.parametrize(
    ("channels", "width", "options", "blocks"),
    [(3, 4, {"stride": 4}, 0), (1, 3, {"padding": 1}, 1), (2, 2, {}, 1)],
)
def test_pairs_of_opposite_kernels(channels, width, options, blocks):
    torch.manual_seed(0)
    count = channels * width * width
    kernels = torch.randn(count, channels, width, width)
    layer = convolution(torch.cat([kernels, -kernels]), 40, **options)
    decision = decide(layer, time_limit=10)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    certificate = decision.certificate
    assert verify(certificate, layer).valid
    assert verify(type(certificate).from_json(certificate.to_json(rows=False)), layer).valid
    assert len(certificate.blocks) == blocks
    assert len(certificate.to_json(rows=False)) < 100_000


def test_kernels_that_span_only_together():
    torch.manual_seed(0)
    layer = convolution(torch.randn(40, 1, 2, 2), 40)
    decision = decide(layer, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert verify(decision.certificate, layer).valid
    assert len(decision.certificate.blocks) == 1


def test_few_kernels_are_refuted_with_a_pair_that_differs_in_one_place():
    torch.manual_seed(0)
    layer = convolution(torch.randn(6, 3, 3, 3), 40, padding=1)
    decision = decide(layer, time_limit=10)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert verify(decision.certificate, layer).valid
    pair = decision.collision
    assert verify(pair.certificate, layer).valid
    assert 0 < np.count_nonzero(pair.x != pair.original) < layer.n / 4


def test_fewer_rows_than_inputs_on_a_large_box():
    layer = convolution(torch.randn(2, 3, 3, 3), 150, stride=2)
    decision = decide(layer, Box(0, 1), time_limit=10)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert verify(decision.certificate, layer).valid
