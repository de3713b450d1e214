"""The command line as such: version, help, usage, and what to report and cite."""

import re

import pytest

from unrelu._version import __version__


def test_version(shell):
    done = shell("--version")
    assert (done.code, done.out, done.err) == (0, f"unrelu {__version__}\n", "")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command(unrelu, option):
    done = unrelu(option)
    assert done.code == 0
    for command in ("audit", "demo", "env", "cite"):
        assert re.search(rf"\b{command} +[A-Z]", done.out)


@pytest.mark.parametrize("command", ["audit", "demo", "env", "cite"])
def test_help_of_a_command(unrelu, command):
    done = unrelu(command, "-h")
    assert done.code == 0
    assert f"unrelu {command}" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Usage:"),
        (("--bogus",), "No such option"),
        (("bogus",), "No such command 'bogus'"),
        (("audit",), "Missing argument 'MODEL'"),
        (("audit", "model.onnx"), "Missing option '--data'"),
        (("audit", "model.onnx", "--data", "data.npy", "--bogus"), "No such option"),
        (("audit", "model.onnx", "--data", "data.npy", "--limit", "0"), "--limit"),
        (("audit", "model.onnx", "--data", "data.npy", "--limit", "few"), "--limit"),
        (("audit", "model.onnx", "--data", "data.npy", "--mean", "grey"), "'grey'"),
        (("audit", "model.onnx", "--data", "data.npy", "--std", "1,"), "'1,'"),
        (("audit", "model.onnx", "--data", "data.npy", "--reconstruct", "-1"), "--reconstruct"),
        (("audit", "handmade_zoo:build", "--data", "data.npy", "--input-shape", "2,x"), "'2,x'"),
        (("audit", "handmade_zoo:build", "--data", "data.npy", "--input-shape", "0"), "'0'"),
        (("audit", "model.onnx", "--data", "data.npy", "--csv", "a", "--json", "./a"), "same file"),
    ],
)
def test_wrong_use_is_exit_2(unrelu, arguments, told):
    done = unrelu(*arguments)
    assert done.code == 2
    assert told in done.out + done.err
    assert "Traceback" not in done.err


def test_env(unrelu, monkeypatch):
    monkeypatch.setenv("UNRELU_DATA", "/some/folder")
    done = unrelu("env")
    assert done.code == 0
    for expected in (f"unrelu {__version__}", "python 3.", "torch 2.", "CUDA devices:", "/some/folder"):
        assert expected in done.out


def test_cite(unrelu):
    done = unrelu("cite")
    assert done.code == 0
    assert done.out.count("{") == done.out.count("}")
    assert len(re.findall(r"^@\w+\{\w+,$", done.out, re.MULTILINE)) == 4
    assert f"version = {{{__version__}}}" in done.out
