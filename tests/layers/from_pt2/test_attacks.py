"""Archives are read as data, whatever is in them."""

import contextlib
import pickle
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.layers.from_pt2.archives import rewrite
from tests.layers.from_pt2.attacks import HARMLESS, REFUSED, saved
from unrelu.errors import ModelError
from unrelu.layers import trace

_watch = {"unpickling": False}


def _audit(event: str, _: tuple) -> None:
    """Python reports every global that any unpickler looks up; a hook cannot be removed, only silenced."""
    if _watch["unpickling"] and event == "pickle.find_class":
        raise AssertionError("something was unpickled")


sys.addaudithook(_audit)


@pytest.fixture
def no_pickle(monkeypatch) -> Iterator[None]:
    """Fail at once where anything is unpickled, or torch's own reader is called."""

    def fail(*args, **kwargs):
        raise AssertionError("something was unpickled")

    for module, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (torch, "load"),
        (torch._C, "_pickle_load_obj"),
        (torch.export, "load"),
    ):
        monkeypatch.setattr(module, name, fail)
    _watch["unpickling"] = True
    yield
    _watch["unpickling"] = False


@pytest.mark.usefixtures("no_pickle")
@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS.keys())
def test_payloads_that_are_not_read(attack, archive: Path, tmp_path: Path):
    marker = tmp_path / "marker"
    plain = trace(archive)
    network = trace(rewrite(archive, attack(marker)))
    assert not marker.exists()
    assert torch.equal(network["a"].dense(), plain["a"].dense())
    x = torch.randn(3, 3)
    assert torch.equal(network.forward(x), plain.forward(x))


@pytest.mark.usefixtures("no_pickle")
@pytest.mark.parametrize(("attack", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_payloads_that_are_refused(attack, message: str, archive: Path, tmp_path: Path):
    marker = tmp_path / "marker"
    path = rewrite(archive, attack(marker))
    with pytest.raises(ModelError, match=message) as caught:
        trace(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["sample inputs, torch.save", "expressions"])
@pytest.mark.filterwarnings("ignore")
def test_the_payloads_are_real(name: str, archive: Path, tmp_path: Path):
    """Torch's own reader runs them: otherwise the tests above would prove nothing."""
    marker = tmp_path / "marker"
    path = rewrite(archive, HARMLESS[name](marker))
    with contextlib.suppress(Exception):
        torch.export.load(path)
    assert marker.exists()


def test_legacy_archive(tmp_path: Path):
    marker, path = tmp_path / "marker", tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.20")
        archive.writestr("serialized_exported_program.json", "{}")
        for name in ("state_dict", "constants", "example_inputs"):
            archive.writestr(f"serialized_{name}.pt", saved(marker))
    with pytest.raises(ModelError, match=r"old.pt2: 'serialized_exported_program.json': pickled weights"):
        trace(path)
    assert not marker.exists()
