"""The sentences and numbers that every view shares."""

import math

import pytest

from tests.audit import factory
from unrelu.audit import _words
from unrelu.stability import Interval


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "fc1 gives back every one of the 500 samples."),
        ({"count": 1, "total": 1}, "fc1 gives back the one sample."),
        ({"name": "3"}, "layer 3 gives back every one of the 500 samples."),
        ({"count": 437}, "fc1 loses 12.6 % of the samples (63 of 500)."),
        ({"count": 499, "undecided": 1}, "fc1 loses 0.2 % of the samples (1 of 500); 1 sample is undecided."),
        ({"undecided": 3}, "fc1 gives back every one of the 500 decided samples; 3 samples are undecided."),
        ({"count": 0}, "fc1 loses every one of the 500 samples."),
        (
            {"count": 0, "m": 9, "n": 10},
            "fc1 loses every one of the 500 samples, as it must: it has 9 outputs for 10 inputs.",
        ),
        (
            {"count": 0, "rank": 60},
            "fc1 loses every one of the 500 samples, as it must: its matrix has rank 60 and 64 inputs.",
        ),
        ({"count": 0, "rank": 60, "rank_certified": False}, "fc1 loses every one of the 500 samples."),
        (
            {"count": 0, "total": 0, "undecided": 7},
            "fc1 is undecided: none of the 7 samples could be settled.",
        ),
        ({"count": 0, "total": 0}, "fc1 is undecided: it saw no sample."),
    ],
)
def test_verdict(changes, sentence):
    assert _words.verdict(factory.layer(**changes)) == sentence


def test_headline():
    good, lossy = factory.layer("a"), factory.layer("b", count=3)
    assert (
        _words.headline(factory.realistic(layers=(good, good)))
        == "Each of the 2 layers gives back every sample."
    )
    assert _words.headline(factory.realistic(layers=(good, lossy))) == (
        "1 of the 2 layers gives back every sample; the first that does not is b."
    )
    assert _words.headline(factory.realistic(layers=(lossy, lossy))) == (
        "No layer gives back every sample; the first that does not is b."
    )
    unsure = factory.layer("c", undecided=2)
    assert _words.headline(factory.realistic(layers=(good, unsure))) == (
        "No layer is known to lose a sample; the first with undecided samples is c."
    )
    assert _words.headline(factory.empty()) == "No ReLU layer could be audited."


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50 %"),
        (0.999, "99.9 %"),
        (0.9997, "99.97 %"),
        (0.99999, "99.999 %"),
        (1 - 1e-9, "> 99.999 %"),
        (1e-9, "< 0.001 %"),
        (0.0004, "0.04 %"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_percentage_never_rounds_to_all_or_nothing(share, text):
    assert _words.percentage(share) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.2, 3.4, "1.2–3.4"),
        (2.0, 2.0001, "2"),
        (0.0, 0.0, "0"),
        (1.5, math.inf, "≥ 1.5"),
        (math.inf, math.inf, "∞"),
    ],
)
def test_between(low, high, text):
    assert _words.between(Interval(low, high)) == text


@pytest.mark.parametrize(
    ("samples", "text"),
    [((), ""), ((1,), "1 sample"), ((200, 200), "200 samples"), ((7, 200), "7 to 200 samples")],
)
def test_noisy(samples, text):
    layers = [factory.layer(noisy_samples=count) for count in samples]
    assert _words.noisy([*layers, factory.layer(count=0)]) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (99.96, "100"),
        (0.09996, "0.1"),
        (999.6, "1,000"),
        (123456, "123,000"),
        (1e6, "1e6"),
        (-0.0123, "-0.0123"),
        (1.5e-16, "1.5e-16"),
        (math.inf, "∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_number(value, text):
    assert _words.number(value) == text
