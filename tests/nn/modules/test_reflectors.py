"""Products of reflectors against the same, one after the other."""

import numpy as np
import pytest
import torch

from tests.reference.reflectors import product
from unrelu.nn.modules._reflectors import reflect


def vectors(kind: str) -> torch.Tensor:
    V = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 4)))
    if kind == "repeated":
        V[:, 2] = -3 * V[:, 1]
    if kind == "zero":
        V[:, 0] = V[:, 3] = 0
    if kind == "huge and tiny":
        V *= torch.tensor([1e100, 1e-100, 1.0, 1e-12], dtype=V.dtype)
    if kind == "none":
        V = V[:, :0]
    return V


@pytest.mark.parametrize("kind", ["random", "repeated", "zero", "huge and tiny", "none"])
def test_product(kind):
    V = vectors(kind)
    expected = torch.from_numpy(product(V.numpy()))
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 5, 6)))
    torch.testing.assert_close(reflect(V, x), x @ expected.T, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(reflect(V, x, inverse=True), x @ expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(reflect(V, x[0, 0]), expected @ x[0, 0], rtol=1e-13, atol=1e-13)


def test_lengths_stay_in_float32_with_many_reflectors():
    V = torch.from_numpy(np.random.default_rng(2).standard_normal((200, 150)).astype(np.float32))
    x = torch.eye(200)
    matrix = reflect(V, x)
    torch.testing.assert_close(matrix @ matrix.T, x, rtol=0, atol=1e-5)


def test_gradient():
    V = vectors("random").requires_grad_()
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((3, 6))).requires_grad_()
    assert torch.autograd.gradcheck(reflect, (V, x))
    assert torch.autograd.gradcheck(lambda *at: reflect(*at, inverse=True), (V, x))
