"""Collisions in an audit, of samples that have none within rounding too."""

import numpy as np
import pytest
import torch

import unrelu
from unrelu.errors import UnreluError


def test_a_sample_that_cannot_be_turned_leaves_the_gallery_to_the_others():
    """The first sample can move by 1e-13 in its second entry, which is neither nothing nor a collision."""
    linear = torch.nn.Linear(2, 3).double()
    linear.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    linear.bias.data = torch.tensor([0.0, -1.0 - 2e-14, 1.0 - 2e-14], dtype=torch.float64)
    samples = np.array([[1.0, 1.0], [-1.0, 3.0]])
    net = unrelu.trace(torch.nn.Sequential(linear, torch.nn.ReLU()), samples[:1])
    with pytest.raises(UnreluError, match="not proved that there is none"):
        unrelu.collide(net[0], samples[0], towards=samples[1], domain=unrelu.Box(-1, 3))
    (layer,) = unrelu.audit(net, samples).layers
    assert [example.index for example in layer.collisions] == [1]
