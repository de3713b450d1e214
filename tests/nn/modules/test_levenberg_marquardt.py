"""Nonlinear least squares for a batch, against SciPy sample by sample."""

import numpy as np
import pytest
import scipy.optimize
import torch

from unrelu.nn.modules._jacobian import jacobians
from unrelu.nn.modules._levenberg_marquardt import levenberg_marquardt


def bent(x: torch.Tensor) -> torch.Tensor:
    """Return five smooth functions of two variables; the map is one-to-one."""
    a, b = x[:, :1], x[:, 1:]
    return torch.cat([a + 0.3 * torch.sin(b), b + a**3 / 5, torch.exp(-a), a * b, torch.cos(a + b)], dim=1)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_against_scipy(noise):
    torch.manual_seed(0)
    x = torch.randn(20, 2, dtype=torch.float64)
    y = bent(x) + noise * torch.randn(20, 5, dtype=torch.float64)
    start = x + 0.1 * torch.randn_like(x)
    found = levenberg_marquardt(bent, y, start)
    assert bool(found.converged.all()) and found.steps <= 100
    for k in range(20):

        def errors(point: np.ndarray, k: int = k) -> np.ndarray:
            return (bent(torch.from_numpy(point)[None])[0] - y[k]).numpy()

        expected = scipy.optimize.least_squares(errors, start[k].numpy(), xtol=1e-15, ftol=1e-15, gtol=1e-15)
        np.testing.assert_allclose(found.x[k].numpy(), expected.x, atol=1e-6)
        length = np.linalg.norm(errors(found.x[k].numpy())) / np.linalg.norm(y[k].numpy())
        assert float(found.residual[k]) == pytest.approx(length, rel=1e-9, abs=1e-15)
        if not noise:
            assert length < 1e-14


def test_few_steps_do_not_converge():
    x = torch.tensor([[2.0, -1.0]]).double()
    found = levenberg_marquardt(bent, bent(x), x + 1.0, steps=2)
    assert not bool(found.converged) and found.steps == 2 and float(found.residual) > 1e-9


def test_what_is_solved_is_left_alone():
    x = torch.randn(3, 2, dtype=torch.float64)
    found = levenberg_marquardt(bent, bent(x), x)
    assert found.steps == 0 and torch.equal(found.x, x) and bool(found.converged.all())


def test_forgotten_directions_and_zeros():
    """A column of zeros, and outputs of length 0."""
    found = levenberg_marquardt(
        lambda x: x[:, :1].expand(-1, 3), torch.zeros(2, 3).double(), torch.ones(2, 2).double()
    )
    assert float(found.residual.max()) < 1e-12 and bool((found.x[:, 1] == 1).all())


def test_images():
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    found = levenberg_marquardt(lambda t: torch.cat([2 * t, t], dim=1), torch.cat([2 * x, x], dim=1), 0 * x)
    torch.testing.assert_close(found.x, x)
    jacobian = jacobians(lambda t: torch.cat([2 * t, t], dim=1), x)
    eye = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(jacobian, torch.cat([2 * eye, eye]).expand(4, 12, 6))
