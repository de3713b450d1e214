"""Upper Lipschitz bounds of modules."""

import pytest
import torch
from torch import nn

from unrelu.nn.modules._lipschitz_bound import lipschitz_bound


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(5, 7),
        nn.Conv1d(2, 3, 3, stride=2, padding=1, dilation=2),
        nn.Conv2d(4, 6, (3, 2), groups=2),
        nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(-2.0), nn.PReLU(init=3.0), nn.ELU(2.0), nn.Sigmoid()),
        nn.Sequential(
            nn.Linear(4, 9), nn.Tanh(), nn.Dropout(), nn.Unflatten(1, (3, 3)), nn.Softplus()
        ).eval(),
    ],
)
def test_bounds_hold(module):
    """No pair of points is moved apart by more, in any direction that maximises it either."""
    torch.manual_seed(0)
    module = module.double()
    shape = {nn.Linear: (5,), nn.Conv1d: (2, 9), nn.Conv2d: (4, 5, 5)}.get(type(module), (4,))
    x, direction = torch.randn(2, 30, *shape, dtype=torch.float64)
    with torch.no_grad():
        bound = float(lipschitz_bound(module))
        for _ in range(20):
            slope, back = torch.func.vjp(module, x)
            moved = module(x + 1e-6 * direction) - slope
            ratio = moved.flatten(1).norm(dim=1) / (1e-6 * direction).flatten(1).norm(dim=1)
            assert bool((ratio <= bound * (1 + 1e-6)).all())
            direction = back(moved)[0]
            direction /= direction.flatten(1).norm(dim=1).clamp(min=1e-300).reshape(-1, *(1,) * len(shape))


def test_bounds_of_dense_layers_are_tight():
    layer = nn.Linear(30, 50).double()
    exact = float(torch.linalg.matrix_norm(layer.weight.detach(), 2))
    assert exact <= float(lipschitz_bound(layer.requires_grad_(False))) < 1.25 * exact
