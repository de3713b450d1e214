"""Whole multiples of common rows, against rational arithmetic."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.multiples import has_exact_multiples, nearest_common
from unrelu.nn.parametrization._multiples import Multiples

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
RATIOS = st.tuples(
    st.one_of(st.integers(1, 40), st.integers(1, 255)),
    st.one_of(st.integers(1, 40), st.integers(1, 255), st.sampled_from([2**9, 3 * 2**9])),
)


def multiples(p: int, q: int, dtype: torch.dtype) -> Multiples:
    """Return two rows, of which the second follows the first."""
    made = Multiples()
    made.arrange(torch.tensor([0, 0]), torch.tensor([p, -q], dtype=dtype))
    return made


def without_common_factor(p: int, q: int) -> tuple[int, int]:
    p, q = sorted((p // math.gcd(p, q), q // math.gcd(p, q)))
    return (3, 5) if max(p, q).bit_count() == min(p, q).bit_count() == 1 else (p, q)


def numbers(dtype: torch.dtype) -> st.SearchStrategy[float]:
    """Return numbers of a type, of all sizes, whose multiples do not overflow."""
    info = torch.finfo(dtype)
    bits = st.floats(-info.max / 2**12, info.max / 2**12, allow_nan=False)
    common = st.floats(-4, 4, allow_nan=False)
    tiny = st.floats(-40, 40, allow_nan=False).map(lambda x: x * info.tiny)
    return st.one_of(bits, common, tiny).map(lambda x: float(torch.tensor(x, dtype=torch.float64).to(dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30, deadline=None)
@given(st.data(), RATIOS)
def test_products_are_exact_and_near(dtype, data, ratio):
    p, q = without_common_factor(*ratio)
    w = data.draw(numbers(dtype))
    pair = multiples(p, q, dtype)
    weight = torch.tensor([[w], [0.0]], dtype=dtype)
    u = Fraction(float(pair.common(weight)))
    assert has_exact_multiples(u, p, q, dtype)
    made = pair.place(weight, weight).double()
    assert [Fraction(float(x)) for x in made[:, 0]] == [p * u, -q * u]
    best = abs(p * nearest_common(Fraction(w), p, q, dtype) - Fraction(w))
    least = Fraction(torch.finfo(dtype).tiny) * Fraction(torch.finfo(dtype).eps)
    assert abs(p * u - Fraction(w)) <= 2 * best + p * least
    assert (u != 0) if abs(Fraction(w)) >= p * least else (abs(u) <= least)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30, deadline=None)
@given(st.data(), RATIOS)
def test_what_is_a_multiple_stays_one(dtype, data, ratio):
    p, q = without_common_factor(*ratio)
    u = nearest_common(Fraction(data.draw(numbers(dtype))), p, q, dtype)
    weight = torch.tensor([[float(p * u)], [float(-q * u)]], dtype=torch.float64).to(dtype)
    pair = multiples(p, q, dtype)
    assert torch.equal(pair.place(torch.zeros_like(weight), weight), weight)
    assert torch.equal(pair.rounded(weight), weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ratios_with_all_digits_leave_powers_of_two(dtype):
    most = int(2 / torch.finfo(dtype).eps) - 1
    pair = multiples(most - 2, most, dtype)
    assert pair.digits == 1
    for w in (1.0, 0.3, -7.0, 2.0**-60 * 1.1):
        u = Fraction(float(pair.common(torch.tensor([[w], [0.0]], dtype=dtype))))
        assert abs(u).numerator.bit_count() == abs(u).denominator.bit_count() == 1
        assert 0.5 <= u * (most - 2) / Fraction(w) <= 2


@pytest.mark.parametrize(("q", "digits"), [(3, 22), (5, 21), (4 * 5, 21), (4095, 12), (4097, 12), (5001, 11)])
def test_digits_that_are_left(q, digits):
    assert multiples(1, q, torch.float32).digits == digits
    assert Multiples().digits == 24


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None)
@given(st.data(), RATIOS, st.integers(-3, 3))
def test_biases_are_kept_or_raised(dtype, data, ratio, steps):
    p, q = without_common_factor(*ratio)
    b, c = data.draw(numbers(dtype)), data.draw(numbers(dtype))
    if data.draw(st.booleans()):  # close to where the one becomes the other
        c = torch.tensor(-b * (q / p), dtype=torch.float64).to(dtype)
        for _ in range(abs(steps)):
            c = torch.nextafter(c, torch.tensor(math.copysign(math.inf, steps), dtype=dtype))
        c = float(c)
    bias = torch.tensor([b, c], dtype=torch.float64).to(dtype)
    made = multiples(p, q, dtype).raise_biases(bias, bias)
    assert float(made[0]) == b
    bound, found = Fraction(-b) * q / p, Fraction(float(made[1]))
    if Fraction(c) >= bound:
        assert found == Fraction(c)
    else:
        info = torch.finfo(dtype)
        room = 6 * (abs(bound) * Fraction(info.eps) + Fraction(info.tiny) * Fraction(info.eps))
        assert bound <= found <= bound + room


def test_gradients_take_rounding_for_the_identity():
    pair = multiples(3, 5, torch.float64)
    weight = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight.requires_grad_()
    made = pair.place(torch.zeros_like(weight), weight)
    (gradient,) = torch.autograd.grad(made, weight, torch.tensor([[1.0], [10.0]]).double().expand(2, 4))
    torch.testing.assert_close(gradient, torch.tensor([[1 - 50 / 3], [0.0]]).double().expand(2, 4))
    bias = torch.tensor([1.0, -9.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(pair.raise_biases(bias, bias)[1], bias)
    torch.testing.assert_close(gradient, torch.tensor([-5 / 3, 0.0], dtype=torch.float64))


def test_the_sign_of_zero_stays():
    weight = torch.tensor([[-0.0, 3.0], [0.0, -5.0]])
    assert multiples(3, 5, torch.float32).place(weight, weight)[0, 0].signbit()
