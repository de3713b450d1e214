"""``unrelu demo``."""

import json
import re

import pytest


def test_demo(unrelu, tmp_path):
    folder = tmp_path / "new" / "demo"
    done = unrelu("demo", "-o", folder)
    assert done.code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["audit.json", "report.html"]
    assert "fc1 gives back every one of the 1,797 samples." in done.out
    assert "fc2 loses every one of the 1,797 samples, as it must" in done.out
    assert re.search(r"9\d\.\d % of the other 597 are recognised\n", done.err)
    first, second = json.loads((folder / "audit.json").read_text(encoding="utf-8"))["layers"]
    assert (first["n"], first["m"], second["m"]) == (64, 160, 32)
    again = unrelu("demo", "-o", folder)
    assert again.code == 1 and "--force" in again.err


@pytest.mark.parametrize("place", ["data.npy", "data.npy/demo"])
def test_no_folder_can_be_made(unrelu, place):
    done = unrelu("demo", "-o", place)
    assert done.code == 1
    assert done.err.startswith("unrelu: cannot make the folder") and done.err.count("\n") == 1
