"""Lower Lipschitz bounds of sequences."""

import copy

import pytest
import torch
from torch import nn

from unrelu.nn import InjectiveLinear, InjectiveSequential, smallest_ratio

LOWER = {
    "layers": ([InjectiveLinear(3, 7), nn.ReLU(), InjectiveLinear(7, 20), nn.ReLU()], 0.9),
    "without ReLU": ([InjectiveLinear(3, 7), nn.LeakyReLU(0.5), nn.Linear(7, 9)], 0.1),
    "norm": ([nn.Linear(3, 5), nn.PReLU(), nn.BatchNorm1d(5), nn.Identity()], 0.01),
}


@pytest.mark.parametrize("case", LOWER)
def test_lower_lipschitz_holds_for_all_pairs(case):
    torch.manual_seed(0)
    modules, least = copy.deepcopy(LOWER[case])
    model = InjectiveSequential(*modules).double().eval()
    bound = model.lower_lipschitz()
    x = torch.randn(300, 3, dtype=torch.float64)
    # Opposite points change the sign of all pairs at once.
    assert smallest_ratio(model, torch.cat([x, -x])).ratio >= bound * (1 - 1e-12)
    assert bound > 0.3 * least


@pytest.mark.parametrize("module", [nn.Tanh(), nn.LayerNorm(3), nn.BatchNorm1d(3), nn.Softplus()])
def test_no_lower_lipschitz_bound_is_0(module):
    assert InjectiveSequential(module).lower_lipschitz() == 0.0
    assert InjectiveSequential(nn.Linear(3, 30), nn.ReLU()).lower_lipschitz() == 0.0
