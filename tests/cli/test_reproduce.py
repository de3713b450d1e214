"""``unrelu reproduce``, on a paper of two scripts made for the test, and on the real ones."""

import json
import sys

import jsonschema
import pytest

from unrelu.cli import _reproductions

SCRIPT = """
from pathlib import Path

def run(folder, *, seed=0, quick=False, tell=lambda _: None):
    tell("drawing")
    Path(folder, "figure1.png").write_bytes(b"png")
    return {"share": 0.5 + seed, "new": 1.0}
"""
BROKEN = """
def run(folder, *, seed=0, quick=False, tell=lambda _: None):
    raise KeyboardInterrupt
"""
EXPECTED = {
    "paper": "Nobody 2024",
    "figures": {
        "figure1": {
            "title": "a figure",
            "quantities": {
                "share": {"paper": 0.3, "expected": 0.51, "tolerance": 0.02},
                "gone": {"paper": 1.5},
            },
        },
        "figure2": {"title": "cut short", "quantities": {}},
    },
}
NUMBER = {"type": ["number", "null"]}
SCHEMA = {
    "type": "object",
    "required": ["paper", "seed", "quick", "versions", "figures"],
    "additionalProperties": False,
    "properties": {
        "paper": {"type": "string"},
        "seed": {"type": "integer"},
        "quick": {"type": "boolean"},
        "versions": {"type": "object", "additionalProperties": {"type": "string"}},
        "figures": {
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "found", "paper", "expected", "tolerance", "within"],
                    "additionalProperties": False,
                    "properties": {
                        "name": {"type": "string"},
                        **dict.fromkeys(("found", "paper", "expected", "tolerance"), NUMBER),
                        "within": {"type": ["boolean", "null"]},
                    },
                },
            },
        },
    },
}


@pytest.fixture
def nobody2024(tmp_path, monkeypatch):
    """A folder of reproductions with one small paper."""
    home = tmp_path / "reproductions"
    paper = home / "nobody2024"
    paper.mkdir(parents=True)
    (home / "__init__.py").write_text("")
    (paper / "__init__.py").write_text("")
    (paper / "figure1.py").write_text(SCRIPT)
    (paper / "figure2.py").write_text(BROKEN)
    (paper / "expected.json").write_text(json.dumps(EXPECTED))
    monkeypatch.setattr(_reproductions, "_home", lambda: home)
    before = {
        name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("unrelu.reproductions")
    }
    yield tmp_path / "out"
    for name in [name for name in sys.modules if name.startswith("unrelu.reproductions")]:
        del sys.modules[name]
    sys.modules.update(before)


def results(folder):
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, SCHEMA)
    return document


def test_within_tolerance(unrelu, nobody2024):
    done = unrelu("reproduce", "nobody2024", "figure1", "-o", nobody2024)
    assert done.code == 0
    assert "figure1: a figure" in done.out
    assert "0.51 ± 0.02" in done.out and "yes" in done.out
    assert str(nobody2024) in done.err
    document = results(nobody2024)
    share, gone, new = document["figures"]["figure1"]
    assert (document["paper"], document["seed"], document["quick"]) == ("nobody2024", 0, False)
    assert (share["found"], share["within"]) == (0.5, True)
    assert (gone["found"], gone["within"], gone["paper"]) == (None, None, 1.5)
    assert (new["found"], new["within"]) == (1.0, None)


def test_outside_tolerance_is_exit_1(unrelu, nobody2024):
    done = unrelu("reproduce", "nobody2024", "figure1", "-o", nobody2024, "--seed", "1")
    assert done.code == 1
    assert "NO" in done.out
    assert results(nobody2024)["figures"]["figure1"][0]["within"] is False


def test_quick_compares_nothing(unrelu, nobody2024):
    done = unrelu("reproduce", "nobody2024", "figure1", "-o", nobody2024, "--seed", "1", "--quick")
    assert done.code == 0
    assert [q["within"] for q in results(nobody2024)["figures"]["figure1"]] == [None, None]


def test_nothing_is_overwritten_unasked(unrelu, nobody2024):
    nobody2024.mkdir()
    (nobody2024 / "figure1.png").write_bytes(b"mine")
    done = unrelu("reproduce", "nobody2024", "figure1", "-o", nobody2024)
    assert done.code == 1 and "--force" in done.err
    assert (nobody2024 / "figure1.png").read_bytes() == b"mine"
    assert unrelu("reproduce", "nobody2024", "figure1", "-o", nobody2024, "--force").code == 0


def test_interrupt_keeps_what_is_done(unrelu, nobody2024):
    done = unrelu("reproduce", "nobody2024", "-o", nobody2024)
    assert done.code == 130
    assert "figure1: a figure" in done.out
    assert list(results(nobody2024)["figures"]) == ["figure1"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Missing argument 'PAPER'"),
        (("nobody1999",), "nobody2024"),
        (("nobody2024", "figure9"), "figure1, figure2"),
        (("nobody2024", "../evil"), "figure1, figure2"),
        (("nobody2024", "--seed", "-1"), "--seed"),
    ],
)
def test_wrong_use_says_what_exists(unrelu, nobody2024, arguments, told):
    done = unrelu("reproduce", *arguments)
    assert done.code == 2
    assert told in " ".join((done.out + done.err).replace("│", " ").split())
    assert not nobody2024.exists()


def test_result_that_is_no_number_is_outside():
    (quantity,) = _reproductions.compare({}, {"lost": {"expected": 1.0, "tolerance": 9.0}})
    assert quantity.within is False


def test_without_reproductions_is_one_error(unrelu, monkeypatch, tmp_path):
    monkeypatch.setattr(_reproductions, "__file__", str(tmp_path / "a" / "b" / "cli" / "x.py"))
    done = unrelu("reproduce", "eckert2024")
    assert done.code == 1
    assert done.err.startswith("unrelu: reproductions: expected in") and done.err.count("\n") == 1


def test_the_papers_of_this_checkout(unrelu, tmp_path):
    done = unrelu("reproduce", "nobody1999")
    assert done.code == 2 and "eckert2024" in done.out + done.err
    done = unrelu("reproduce", "eckert2024", "figure1", "-o", tmp_path / "new", "--quick")
    assert done.code == 0
    assert (tmp_path / "new" / "figure1.png").read_bytes().startswith(b"\x89PNG")
