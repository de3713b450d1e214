"""Every module is proved injective fresh, trained, saved and loaded, exported and read again."""

import pytest
from torch import nn

import unrelu
from tests.nn.modules.stages import CASES, check_export, check_training


def test_every_module_has_a_case():
    public = [getattr(unrelu.nn.modules, name) for name in unrelu.nn.modules.__all__]
    known = {part for part in public if isinstance(part, type) and issubclass(part, nn.Module)}
    used = {type(part) for case in CASES.values() for part in case.model().modules()}
    adapters = {unrelu.nn.FrEIAAdapter, unrelu.nn.NflowsAdapter}  # around a sequence, with other outputs
    assert known - used == adapters


@pytest.mark.parametrize("name", CASES)
def test_training(name, tmp_path):
    check_training(CASES[name], tmp_path / "weights.pt")


@pytest.mark.parametrize("name", ["one behind the other", "one behind the other of images"])
def test_export(name, tmp_path):
    check_export(CASES[name], tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_export(name, tmp_path):
    check_export(CASES[name], tmp_path / "model.onnx")
