"""Ctrl-C: what was measured until then is shown and written, marked partial."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import onnx
import pytest

from tests.cli.conftest import onnx_model

pty = pytest.importorskip("pty", reason="progress is shown on a terminal only")


@pytest.fixture
def long_run(tmp_path):
    """Files that keep an audit busy for minutes."""
    rng = np.random.default_rng(0)
    onnx.save(onnx_model(rng.standard_normal((240, 80))), tmp_path / "model.onnx")
    np.save(tmp_path / "data.npy", rng.standard_normal((100_000, 80)).astype(np.float32))
    return tmp_path


class Screen(threading.Thread):
    """Reads all that a program shows on a terminal, so that it never waits for a reader."""

    def __init__(self, terminal):
        super().__init__(daemon=True)
        self.terminal, self.shown = terminal, b""
        self.start()

    def run(self):
        with suppress(OSError):  # the other end was closed
            while part := os.read(self.terminal, 4096):
                self.shown += part

    def wait_for(self, pattern, seconds=100):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end and self.is_alive(), self.shown
            time.sleep(0.02)


# A shell makes its background jobs, and they their children, deaf to interrupts.
PROGRAM = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("unrelu", run_name="__main__", alter_sys=True)
"""


def test_interrupt(long_run):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, "audit", "model.onnx", "--data", "data.npy"]
    command += ["-o", "report.html", "--json", "audit.json"]
    with subprocess.Popen(
        command, cwd=long_run, stdout=subprocess.PIPE, stderr=theirs, text=True, encoding="utf-8"
    ) as process:
        os.close(theirs)
        screen = Screen(ours)
        try:
            screen.wait_for(rb"[1-9]\d?%")  # a first hundredth is done
            process.send_signal(signal.SIGINT)
            shown, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    screen.join()
    os.close(ours)
    assert process.returncode == 130
    assert "PARTIAL: the audit was interrupted" in shown
    result = json.loads((long_run / "audit.json").read_text(encoding="utf-8"))
    assert result["partial"] is True
    (layer,) = result["layers"]
    assert 0 < layer["samples"] < result["samples"] == 100_000
    assert layer["singleton"]["total"] + layer["undecided"] == layer["samples"]
    assert layer["reconstructed"] <= layer["samples"]
    assert "PARTIAL" in (long_run / "report.html").read_text(encoding="utf-8")


def test_interrupt_of_a_demo(unrelu, monkeypatch, tmp_path):
    """An interrupt before the audit leaves no file; one during it is marked."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("unrelu.cli._demo._train", interrupt)
    assert unrelu("demo", "-o", tmp_path).code == 130
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    monkeypatch.setattr("unrelu.audit._layer.LayerAccount.add", interrupt)
    done = unrelu("demo", "-o", tmp_path)
    assert done.code == 130
    assert "interrupted before any sample was through" in done.out
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["partial"] is True
