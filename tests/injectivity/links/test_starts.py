"""Sets that contain what links see."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from unrelu import Box, Orthant, Space
from unrelu.injectivity.links._starts import starts


class Twice(nn.Module):
    """A layer, a normalisation, two layers, a skip and an affine map."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        sizes = [(3, 8), (8, 20), (20, 44), (44, 44), (44, 50)]
        self.maps = nn.ModuleList(nn.Linear(n, m) for n, m in sizes)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        first, second, third, inner, last = self.maps
        y = self.norm(torch.relu(first(x)))
        y = torch.relu(third(torch.relu(second(y))))
        y = torch.relu(torch.cat([y, torch.tanh(inner(y))], dim=1))
        return last(y[:, :44] + y[:, 44:])


@pytest.mark.parametrize("domain", [None, Box(-1, 1), Orthant()])
def test_kinds(domain):
    net = unrelu.trace(Twice().eval(), torch.randn(1, 3))
    links = net.links()
    found = starts(links, domain or Space())
    kinds = [[part.kind for part in link.parts] for link in links]
    assert kinds[:4] == [["relu"], ["normalised"], ["relu"], ["relu"]]
    assert found[0] == (domain or Space())
    assert all(isinstance(found[k], Box) for k in (2, 3))
    for link, start in zip(links[4:], found[4:], strict=True):
        assert isinstance(start, Orthant if link.behind_relu else Space)


def test_boxes_hold_what_comes_in():
    """Behind a normalisation, and behind a layer behind it."""
    torch.manual_seed(0)
    modules = [
        nn.Linear(3, 8),
        nn.ReLU(),
        nn.LayerNorm(8),
        nn.Linear(8, 20),
        nn.ReLU(),
        nn.Linear(20, 44),
        nn.ReLU(),
    ]
    model = nn.Sequential(*modules).double()
    net = unrelu.trace(model, torch.randn(1, 3).double())
    found = starts(net.links(), Space())
    x = torch.from_numpy(np.random.default_rng(0).standard_cauchy((1000, 3)))
    with torch.no_grad():
        for k, depth in ((2, 3), (3, 5)):
            assert found[k].contains(model[:depth](x).numpy()).all()
