"""Timing two sides against each other, and writing down what was found and where."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Side:
    """Seconds an item of one side over the rounds."""

    name: str
    items: int
    minimum: float
    median: float


@dataclass(frozen=True)
class Comparison:
    """A paired run.

    Attributes:
        name: What was compared.
        fast: The side under test.
        slow: The baseline.
        ratio: Median over rounds of baseline seconds an item over seconds an item of the side under test.
        facts: What else was measured: errors, sizes, shares.
    """

    name: str
    fast: Side
    slow: Side
    ratio: float
    facts: dict


def paired(
    name: str,
    fast: tuple[str, int, Callable[[], object]],
    slow: tuple[str, int, Callable[[], object]],
    *,
    rounds: int = 5,
    facts: dict | None = None,
) -> Comparison:
    """Run both sides in turn, after one unmeasured run of each."""
    seconds: dict[str, list[float]] = {fast[0]: [], slow[0]: []}
    for k in range(rounds + 1):
        for label, items, run in (fast, slow) if k % 2 else (slow, fast):
            start = time.perf_counter()
            run()
            if k:
                seconds[label].append((time.perf_counter() - start) / items)
    ratios = [s / f for s, f in zip(seconds[slow[0]], seconds[fast[0]], strict=True)]
    sides = [
        Side(label, items, min(seconds[label]), median(seconds[label])) for label, items, _ in (fast, slow)
    ]
    return Comparison(name, *sides, median(ratios), facts or {})


def save(comparisons: list[Comparison]) -> Path:
    """Write results and environment as JSON, and print a table."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{comparisons[0].name.split(':')[0].replace(' ', '-')}.json"
    document = {"environment": environment(), "comparisons": [asdict(c) for c in comparisons]}
    path.write_text(json.dumps(document, indent=2) + "\n")
    for c in comparisons:
        print(f"\n{c.name}: {c.ratio:.1f} x")
        for side in (c.fast, c.slow):
            print(f"  {side.name:40s} {side.median * 1e3:10.3f} ms an item (best {side.minimum * 1e3:.3f})")
        for fact, value in c.facts.items():
            print(f"  {fact:40s} {value}")
    return path


def environment() -> dict:
    """Describe the machine and the libraries."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        **{name: version(name) for name in ("unrelu", "torch", "numpy", "scipy")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def peak_memory(module: str) -> float:
    """Return the peak resident memory, in MB, of a fresh process that runs ``module``'s fast side once."""
    code = f"import {module} as b, benchmarks._pair as p; b.once(); print(p.peak_so_far())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def peak_so_far() -> float:
    """Return the peak resident memory of this process, in MB.

    From Linux's ``VmHWM``: the maximum that ``getrusage`` tells starts with what the parent had.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
