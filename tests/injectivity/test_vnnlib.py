"""Queries are read back and evaluated in rational arithmetic; what they say is compared with the layer."""

import operator
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import unrelu
from unrelu import Ball, Box, ReLULayer, Space, Verdict, decide
from unrelu.errors import ArgumentError
from unrelu.injectivity.vnnlib import query
from unrelu.injectivity.vnnlib._query import decimal

# Tokens of the grammar of VNN-LIB 2.0.
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
ENTRY = re.compile(r"([A-Za-z][A-Za-z0-9_]*)((?:\[[0-9]+(?:,[0-9]+)*\])?)")
COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq}

LAYER = ReLULayer(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]), [0.0, 1.0], name="fc1")
BOX = Box([-1.0, 0.0, 1e-7], [1.0, 2.5, 1e20])


def read(text):
    """Read S-expressions as nested lists."""
    stack = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";.*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            closed = stack.pop()
            stack[-1].append(closed)
        else:
            stack[-1].append(token)
    (forms,) = stack  # balanced
    return forms


def assertions(text):
    return [form[1] for form in read(text) if form[0] == "assert"]


def value(term, known):
    if isinstance(term, list):
        sign, one, other = term
        assert sign == "-"
        return value(one, known) - value(other, known)
    return Fraction(term) if NUMBER.fullmatch(term) else known[term]


def holds(formula, known):
    if formula[0] == "or":
        return any(holds(part, known) for part in formula[1:])
    comparison, one, other = formula
    return COMPARISONS[comparison](value(one, known), value(other, known))


def satisfied(text, layer, one, other):
    """Say whether two inputs of a layer fulfil all assertions."""
    known = {}
    for number, x in (("1", one), ("2", other)):
        for letter, numbers in (("X", x), ("Y", layer.apply(x))):
            known |= {f"{letter}{number}[0,{i}]": Fraction(v) for i, v in enumerate(numbers.tolist())}
    return all(holds(formula, known) for formula in assertions(text))


def test_two_copies_of_one_network():
    text = query(LAYER, BOX, 0.1)
    version, first, second, *rest = read(text)
    assert version == ["vnnlib-version", "<2.0>"]
    source, target = ["real", "[1,3]"], ["real", "[1,2]"]
    assert first == [
        *("declare-network", "f"),
        ["declare-input", "X1", *source],
        ["declare-output", "Y1", *target],
    ]
    assert second == [
        *("declare-network", "g", ["equal-to", "f"]),
        ["declare-input", "X2", *source],
        ["declare-output", "Y2", *target],
    ]
    assert {form[0] for form in rest} == {"assert"}
    assert text.isascii() and text.endswith("\n")


def test_every_entry_is_bounded_compared_and_kept_apart():
    formulas = assertions(query(LAYER, BOX, 0.1))
    lo, hi = BOX.bounds(3)
    for i, (low, high) in enumerate(zip(lo, hi, strict=True)):
        for variable in ("X1", "X2"):
            assert float(dict_of(formulas)[">=", f"{variable}[0,{i}]"]) == low
            assert float(dict_of(formulas)["<=", f"{variable}[0,{i}]"]) == high
    assert [f for f in formulas if f[0] == "=="] == [["==", f"Y1[0,{j}]", f"Y2[0,{j}]"] for j in range(2)]
    (apart,) = [f for f in formulas if f[0] == "or"]
    assert len(apart[1:]) == 6
    assert sorted(map(str, apart[1:])) == sorted(
        str([">=", ["-", f"{a}[0,{i}]", f"{b}[0,{i}]"], "0.1"])
        for i in range(3)
        for a, b in (("X1", "X2"), ("X2", "X1"))
    )
    assert len(formulas) == 4 * 3 + 2 + 1


def dict_of(formulas):
    return {(f[0], f[1]): f[2] for f in formulas if len(f) == 3 and isinstance(f[1], str)}


def test_every_word_is_a_token_of_the_grammar():
    def words(form):
        for part in form:
            yield from words(part) if isinstance(part, list) else (part,)

    for formula in assertions(query(LAYER, BOX, 1e-9)):
        for word in words(formula):
            assert word in {"or", "-", *COMPARISONS} or NUMBER.fullmatch(word) or ENTRY.fullmatch(word), word


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(number):
    text = decimal(number)
    assert float(text) == number
    assert NUMBER.fullmatch(text) and "." in text
    assert sum(c.isdigit() for c in text.replace(".", "").strip("-0")) <= max(17, len(str(int(abs(number)))))


@pytest.mark.parametrize("seed", range(5))
def test_a_collision_satisfies_the_query(seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-3, 4, (4, 3)).astype(float)
    weight[:, 2] = 0.0  # an entry of the input that the output does not see
    layer, box = ReLULayer(weight, rng.integers(-2, 3, 4).astype(float)), Box(-4.0, 4.0)
    # Whole numbers: nothing is rounded, and the arithmetic of the layer is that of the query.
    grid = rng.integers(-5, 6, (400, 2, 3)).astype(float)
    grid[:300, 1, :2] = grid[:300, 0, :2]
    text, counts = query(layer, box, 2.0), [0, 0]
    for one, other in grid:
        apart = np.abs(one - other).max() >= 2
        wanted = apart and np.array_equal(layer.apply(one), layer.apply(other))
        wanted = bool(wanted and box.contains(one) and box.contains(other))
        assert satisfied(text, layer, one, other) == wanted
        counts[wanted] += 1
    assert min(counts) > 0


def test_the_pair_that_decide_finds():
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    decision = decide(layer, Box(-1, 1), n_jobs=1)
    assert decision.verdict == Verdict.NOT_INJECTIVE
    pair = decision.collision
    apart = float(np.abs(pair.x - pair.original).max())
    assert satisfied(query(layer, Box(-1, 1), apart / 2), layer, pair.x, pair.original)
    assert not satisfied(query(layer, Box(-1, 1), apart * 2), layer, pair.x, pair.original)


def test_images_keep_their_shape():
    torch.manual_seed(0)
    conv = ReLULayer.from_module(nn.Conv2d(2, 3, 2), (2, 4, 5))
    text = query(conv, Box(0, 1), 0.5)
    assert ["declare-input", "X1", "real", "[1,2,4,5]"] in read(text)[1]
    assert ["declare-output", "Y2", "real", "[1,3,3,4]"] in read(text)[2]
    assert "X1[0,1,3,4]" in text and "Y2[0,2,2,3]" in text


def test_networks():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    network = unrelu.trace(module, torch.zeros(1, 2, 3))
    network.origin = "a\nnetwork → 1)"
    text = query(network, Box(0, 1), 0.5)
    assert ["declare-input", "X1", "real", "[1,2,3]"] in read(text)[1]
    assert ["declare-output", "Y1", "real", "[1,2]"] in read(text)[1]
    assert text.isascii() and len(assertions(text)) == 4 * 6 + 2 + 1


def test_shapes_of_a_file():
    text = query(LAYER, BOX, 0.5, shapes=((3,), (2, 1)))
    assert ["declare-input", "X1", "real", "[3]"] in read(text)[1]
    assert ["==", "Y1[1,0]", "Y2[1,0]"] in assertions(text)
    scalar = query(ReLULayer(np.ones((1, 3))), BOX, 0.5, shapes=((3, 1), ()))
    assert ["declare-output", "Y1", "real", "[]"] in read(scalar)[1]
    assert ["==", "Y1", "Y2"] in assertions(scalar)


def test_size_is_linear():
    def length(n):
        return len(query(ReLULayer(np.ones((1, n))), Box(0, 1), 0.5))

    assert length(8000) < 2.2 * length(4000)


@pytest.mark.parametrize(
    ("domain", "delta", "told"),
    [
        (Box(0, np.inf), 0.1, "finite bounds"),
        (Box(-np.inf, 0), 0.1, "finite bounds"),
        (Ball(0.0, 1.0), 0.1, "finite bounds"),
        (Space(), 0.1, "finite bounds"),
        (None, 0.1, "finite bounds"),
        (Box([0, 0], [1, 1]), 0.1, "expected 2"),
        (Box(0, 1), 0.0, "delta"),
        (Box(0, 1), -1.0, "delta"),
        (Box(0, 1), float("nan"), "delta"),
        (Box(0, 1), float("inf"), "delta"),
        (Box(0, 1), "far", "delta"),
    ],
)
def test_refused(domain, delta, told):
    with pytest.raises(ArgumentError, match=told):
        query(LAYER, domain, delta)


@pytest.mark.parametrize("shapes", [((4,), (2,)), ((3,), (3,))])
def test_refused_shapes(shapes):
    with pytest.raises(ArgumentError, match="shapes"):
        query(LAYER, BOX, 0.1, shapes=shapes)


def test_a_layer_without_rows():
    with pytest.raises(ArgumentError, match="at least one row"):
        query(ReLULayer(np.zeros((0, 3))), BOX, 0.1)
