"""A search that is stopped, by the clock or by Ctrl-C, says how far it came."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from unrelu.injectivity.search import _search, search


def gaussian(m: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((m, n))


@pytest.mark.parametrize("limit", [0.05, 0.5])
@pytest.mark.parametrize("general_position", [True, False])
def test_time_limit(limit, general_position):
    W = gaussian(154, 22)
    search(W, general_position=general_position, time_limit=0.01, n_jobs=1)  # compiled now
    before = time.thread_time()
    result = search(W, general_position=general_position, time_limit=limit, n_jobs=1)
    assert time.thread_time() - before < limit + 0.35
    assert result.verdict == "unknown"
    assert "time" in result.reason
    assert 1 <= result.bound <= 22
    assert result.tree is None and result.x is None


def test_the_time_may_be_up_before_the_proof_is_checked(monkeypatch):
    monkeypatch.setattr(_search, "supports_hold", lambda *_: None)
    result = search(gaussian(28, 4), n_jobs=1)
    assert (result.verdict, result.bound) == ("unknown", 4)
    assert result.reason.startswith("the time is up")


_LONG_SEARCH = """
import signal
import sys
import numpy as np
from unrelu.injectivity.search import _search, search
signal.signal(signal.SIGINT, signal.default_int_handler)  # processes in the background may ignore it
W = np.random.default_rng(0).standard_normal((154, 22))
jobs = int(sys.argv[1])
search(W, general_position=True, n_jobs=jobs, time_limit=0.1)
print("ready", flush=True)
result = search(W, general_position=True, n_jobs=jobs)
print(result.verdict, result.interrupted, result.nodes > 0, result.bound, result.reason)
"""


@pytest.mark.parametrize("jobs", [1, 3])
def test_interrupt(jobs):
    """A real search ends soon after SIGINT, and says how far it came."""
    command = [sys.executable, "-c", _LONG_SEARCH, str(jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        answer, _ = process.communicate(timeout=30)
        assert time.monotonic() - begin < 5
    verdict, interrupted, searched, bound, reason = answer.split(maxsplit=4)
    assert (verdict, interrupted, searched) == ("unknown", "True", "True")
    assert 2 <= int(bound) <= 22
    assert reason.startswith("interrupted")
