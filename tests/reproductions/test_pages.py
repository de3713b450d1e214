"""Every reproduction: its scripts, its page and its pictures are what expected.json says."""

import json
import math
from importlib import import_module

import jsonschema
import pytest

from reproductions import _page

PAPERS = sorted(path.parent for path in _page.ROOT.glob("*/expected.json"))
NUMBER = {"type": "number"}
QUANTITY = {
    "type": "object",
    "required": ["expected", "tolerance"],
    "additionalProperties": False,
    "properties": {"paper": NUMBER, "expected": NUMBER, "tolerance": {"type": "number", "minimum": 0}},
}
FIGURE = {
    "type": "object",
    "required": ["title", "quantities"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string"},
        "quantities": {"type": "object", "minProperties": 1, "additionalProperties": QUANTITY},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["paper", "figures"],
    "additionalProperties": False,
    "properties": {
        "paper": {"type": "string"},
        "figures": {"type": "object", "additionalProperties": FIGURE},
    },
}


@pytest.fixture(params=PAPERS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture
def expected(folder):
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def page(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


def test_expected_follows_its_schema(expected):
    jsonschema.validate(expected, SCHEMA)


def test_every_script_is_expected(folder, expected):
    assert {path.stem for path in folder.glob("[!_]*.py")} == set(expected["figures"])


def test_page_shows_what_is_expected(expected, page):
    assert _page.with_tables(page, expected["figures"]) == page, "run: python -m reproductions"
    assert all(f"<!-- {name} -->" in page for name in expected["figures"])


def test_pictures_of_the_page_are_small_and_there(folder, page):
    pictures = list((folder / "images").glob("*.png"))
    assert pictures
    for picture in pictures:
        assert f"(images/{picture.name})" in page
        assert picture.stat().st_size <= 150_000


FIGURES = [
    (folder.name, figure)
    for folder in PAPERS
    for figure in json.loads((folder / "expected.json").read_text(encoding="utf-8"))["figures"]
]


@pytest.mark.parametrize(("paper", "figure"), FIGURES)
def test_quick_run(paper, figure, tmp_path, data_folder):
    script = import_module(f"reproductions.{paper}.{figure}")
    expected = json.loads((_page.ROOT / paper / "expected.json").read_text(encoding="utf-8"))
    told = []
    found = script.run(tmp_path, quick=True, tell=told.append)
    assert told
    assert [path.name for path in tmp_path.iterdir()] == [f"{figure}.png"]
    assert set(found) <= set(expected["figures"][figure]["quantities"])
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())
