"""Domains as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrelu.domains import (
    Ball,
    Box,
    Domain,
    Orthant,
    Polytope,
    Shell,
    Space,
    Sphere,
    format_domain,
    parse_domain,
)
from unrelu.errors import ArgumentError

finite = st.floats(allow_nan=False, allow_infinity=False)
radii = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
domains = st.one_of(
    st.just(Space()),
    st.just(Orthant()),
    st.tuples(finite, finite).map(lambda pair: Box(min(pair), max(pair))),
    finite.map(lambda lo: Box(lo, np.inf)),
    radii.map(lambda radius: Ball(0, radius)),
    radii.map(Sphere),
)


@given(domain=domains)
def test_round_trip(domain: Domain):
    assert parse_domain(format_domain(domain)) == domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("space", Space()),
        (" Orthant ", Orthant()),
        ("box:0,1", Box(0, 1)),
        ("BOX: -1e-3 , 2", Box(-0.001, 2)),
        ("box:-inf,inf", Box(-np.inf, np.inf)),
        ("ball:0.5", Ball(0, 0.5)),
        ("sphere:2", Sphere(2)),
    ],
)
def test_parse(text: str, domain: Domain):
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cube:1",
        "box",
        "box:",
        "box:1",
        "box:1,2,3",
        "box:a,b",
        "ball",
        "ball:1,2",
        "ball:",
        "space:",
        "space:1",
    ],
)
def test_unreadable_text_names_the_forms(text: str):
    with pytest.raises(ArgumentError) as caught:
        parse_domain(text)
    assert str(caught.value) == (
        f"domain {text!r}: expected one of space, orthant, box:LO,HI, ball:RADIUS, sphere:RADIUS"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("box:1,0", "domain 'box:1,0': lo: expected lo <= hi"),
        ("box:nan,0", "lo: expected numbers without NaN"),
        ("ball:-1", "radius: expected a positive number"),
        ("sphere:inf", "radius: expected finite numbers"),
    ],
)
def test_refused_figures(text: str, message: str):
    with pytest.raises(ArgumentError, match=message):
        parse_domain(text)


@pytest.mark.parametrize(
    "domain",
    [Box([0, 0], 1), Box([0], [1]), Ball(1, 1), Ball([0, 0], 1), Shell(1, 2), Polytope([[1.0]], 1)],
)
def test_domains_without_a_short_form(domain: Domain):
    with pytest.raises(ArgumentError, match="expected one that can be written as space, orthant"):
        format_domain(domain)
