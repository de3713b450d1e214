"""What all tests share: thread counts, hypothesis profiles, the data folder, a seeded generator."""

import os
import shutil
from pathlib import Path

# Read when torch, numpy and numba are first loaded, hence before any import of them.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(_name, "1")
os.environ["MPLBACKEND"] = "Agg"

import numpy as np
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI") == "true"

# Compilation by numba and the first call of torch take longer than any deadline worth setting.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))

_beside = ROOT.parent / "shared" / "data"
if not os.environ.get("UNRELU_DATA") and _beside.is_dir():
    os.environ["UNRELU_DATA"] = str(_beside)


def skip_or_fail(reason: str) -> None:
    """Skip the test, or fail it where nothing may be missing: in continuous integration."""
    if IN_CI:
        pytest.fail(f"{reason}; continuous integration skips no test for that", pytrace=False)
    pytest.skip(reason)  # reason: the caller's; a contributor's machine may lack data or a browser


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests for a device that is absent, and tests in a browser that is not installed."""
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")  # reason: nothing stands in for the device under test
    if item.get_closest_marker("browser") and not any(
        shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")
    ):
        skip_or_fail("no chromium")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the public data sets: UNRELU_DATA, else ../shared/data beside the checkout."""
    named = os.environ.get("UNRELU_DATA")
    if not named:
        skip_or_fail("no data folder: set UNRELU_DATA")
    folder = Path(named)
    if not folder.is_dir():
        skip_or_fail(f"UNRELU_DATA names no folder: {folder}")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives every test the same numbers."""
    return np.random.default_rng(0)
