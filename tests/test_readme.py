"""The README's examples run and print what it says."""

import doctest
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_examples_run():
    failures, examples = doctest.testfile(str(README), module_relative=False)
    assert examples >= 10
    assert failures == 0
