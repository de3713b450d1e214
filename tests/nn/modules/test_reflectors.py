"""Products of reflectors against the same, one after the other."""

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

from tests.reference.reflectors import one_by_one, product
from unrelu.nn.modules._reflectors import reflect

# Torch's own forward mode begins with what it deprecates.
FORWARD_MODE = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


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


@pytest.fixture(params=[False, True], ids=["product", "inverse"])
def pair(request):
    """Return ``reflect`` and its twin, which work it out reflector by reflector."""
    if request.param:
        return lambda V, x: reflect(V, x, inverse=True), lambda V, x: one_by_one(V.flip(1), x)
    return reflect, one_by_one


def points(kind: str, count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return vectors(kind), torch.from_numpy(np.random.default_rng(1).standard_normal((count, 6)))


def test_derivatives_by_differences(pair):
    V, x = (point.requires_grad_() for point in points("random"))
    assert torch.autograd.gradcheck(pair[0], (V, x), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(pair[0], (V, x), check_batched_grad=True)


@pytest.mark.parametrize("count", [3, 0])
@pytest.mark.parametrize("kind", ["random", "repeated", "zero", "none"])
def test_gradients(kind, count, pair):
    V, x = (point.requires_grad_() for point in points(kind, count))
    along = torch.from_numpy(np.random.default_rng(2).standard_normal((count, 6)))
    found, expected = (
        torch.autograd.grad((f(V, x) * along).sum(), (V, x), materialize_grads=True) for f in pair
    )
    used = (V != 0).any(dim=0)
    torch.testing.assert_close(found[0][:, used], expected[0][:, used], rtol=1e-12, atol=1e-12)
    assert not found[0][:, ~used].any()
    torch.testing.assert_close(found[1], expected[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("which", [0, 1])
def test_only_one_gradient_is_asked_for(which, pair):
    ends = points("random")
    ends[which].requires_grad_()
    found, expected = (torch.autograd.grad(f(*ends).square()[:, 0].sum(), ends[which])[0] for f in pair)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_second_derivatives_where_a_column_is_zero(pair):
    V, x = points("zero")
    x.requires_grad_()

    def curvature(f) -> torch.Tensor:
        cubes = f(V, x).pow(3).sum()
        return torch.autograd.grad(torch.autograd.grad(cubes, x, create_graph=True)[0].pow(2).sum(), x)[0]

    torch.testing.assert_close(*map(curvature, pair), rtol=1e-11, atol=1e-11)


@FORWARD_MODE
@pytest.mark.parametrize("outer", [torch.func.jacrev, torch.func.jacfwd])
@pytest.mark.parametrize("inner", [torch.func.jacrev, torch.func.jacfwd])
@pytest.mark.parametrize("argument", [0, 1])
def test_second_derivatives_by_transforms(outer, inner, argument, pair):
    V, x = points("random", 2)
    found, expected = (outer(inner(f, argument), argument)(V, x) for f in pair)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_over_a_batch_of_products(pair):
    V, x = torch.stack([vectors("random"), vectors("repeated")]), points("random")[1]
    found = torch.func.vmap(torch.func.jacrev(pair[0]), in_dims=(0, None))(V, x)
    expected = torch.stack([torch.func.jacrev(pair[1])(one, x) for one in V])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@FORWARD_MODE
def test_forward_mode_without_transforms():
    V, x = points("random")
    with forward_ad.dual_level():
        moved = forward_ad.unpack_dual(reflect(forward_ad.make_dual(V, torch.ones_like(V)), x)).tangent
    _, expected = torch.func.jvp(lambda at: one_by_one(at, x), (V,), (torch.ones_like(V),))
    torch.testing.assert_close(moved, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("inside", [True, False])
def test_gradient_under_autocast(inside):
    V, x = (point.float().requires_grad_() for point in points("random"))
    along = torch.linspace(-1, 1, 18).reshape(3, 6)
    expected = torch.autograd.grad((one_by_one(V, x) * along).sum(), (V, x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = (reflect(V, x) * along).sum()
        found = torch.autograd.grad(loss, (V, x)) if inside else None
    found = found or torch.autograd.grad(loss, (V, x))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradient_of_narrow_numbers(dtype):
    V, x = (point.to(dtype).requires_grad_() for point in points("random"))
    found, expected = (torch.autograd.grad(f(V, x).float().pow(3).sum(), V)[0] for f in (reflect, one_by_one))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected.float(), rtol=0.2, atol=0.2)
