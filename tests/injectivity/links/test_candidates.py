"""Which proofs are tried, and in which order."""

import pytest
import torch
from torch import nn

import unrelu
from unrelu.certificates import (
    AloneProof,
    ContractionProof,
    MaximaProof,
    NormalisationProof,
    check_link,
)
from unrelu.injectivity.links._candidates import candidates
from unrelu.nn import (
    AugmentedLayerNorm,
    ConcatenatingSkip,
    ContractiveResidual,
    InjectiveAvgPool2d,
    InjectiveMaxPool1d,
)


def last_link(module: nn.Module, *shape: int):
    torch.manual_seed(0)
    return unrelu.trace(nn.Sequential(nn.ReLU(), module).eval(), torch.randn(1, *shape)).links()[-1]


def dense(n: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n, 5), nn.ReLU(), nn.Linear(5, n))


def images(channels: int) -> nn.Sequential:
    first, second = nn.Conv2d(channels, 3, 3, padding=1), nn.Conv2d(3, channels, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second)


@pytest.mark.parametrize(
    ("module", "shape", "kinds"),
    [
        (nn.Linear(4, 5), (4,), [AloneProof]),
        (nn.Linear(4, 3), (4,), []),
        (ConcatenatingSkip(nn.Sequential(nn.Linear(4, 2), nn.Softplus()), 4), (4,), [AloneProof]),
        (ConcatenatingSkip(dense(4), 4), (4,), [AloneProof, ContractionProof]),
        (nn.Sequential(nn.Linear(4, 5), nn.Tanh()), (4,), [AloneProof]),
        (ContractiveResidual(dense(4)), (4,), [ContractionProof]),
        (ContractiveResidual(images(2)), (2, 4, 4), [ContractionProof] * 2),
        (ContractiveResidual(images(2)), (2, 16, 16), [ContractionProof]),
        (InjectiveMaxPool1d(2), (1, 6), [ContractionProof, MaximaProof]),
        (AugmentedLayerNorm(4), (4,), [NormalisationProof] * 2),
        (nn.LayerNorm(4, eps=0.0), (4,), [NormalisationProof]),
    ],
)
def test_kinds(module, shape, kinds):
    found = list(candidates(last_link(module, *shape)))
    assert list(map(type, found)) == kinds


def test_pixels_are_blocks():
    link = last_link(ContractiveResidual(images(2)), 2, 4, 3)
    whole, pixels = candidates(link)
    assert whole.blocks is None
    assert [len(part) for part in pixels.blocks] == list(link.record().sizes)
    assert pixels.blocks[0].tolist() == [*range(12)] * 2


class Turned(nn.Module):
    """An image turned upside down, and something small."""

    def __init__(self):
        super().__init__()
        self.inner = images(2)

    def forward(self, x):
        return x.flip(2, 3) + self.inner(x) / 16


def test_blocks_follow_the_shortcut():
    """A block may put pixels elsewhere than where it reads them."""
    link = last_link(Turned(), 2, 4, 4)
    *_, proof = candidates(link)
    assert proof.blocks is not None and check_link(proof, link.record())
    assert proof.blocks[0].tolist() == [*range(15, -1, -1)] * 2
    assert proof.blocks[-1].tolist() == [*range(16)] * 2


def test_ranks_of_large_maps_come_with_blocks():
    torch.manual_seed(0)
    link = last_link(InjectiveAvgPool2d(2), 3, 16, 16)
    by_blocks, plain = candidates(link)
    assert by_blocks.proof is not None and by_blocks.proof.dominance is not None
    assert plain.proof is None
