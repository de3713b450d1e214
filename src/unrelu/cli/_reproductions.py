"""The reproductions of papers: where they lie, running one figure, and comparing it with what is expected."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unrelu.errors import DataError

_PACKAGE = "unrelu.reproductions"
_EXPECTED = "expected.json"


@dataclass(frozen=True)
class Quantity:
    """One figure of a reproduction.

    Attributes:
        name: What it is.
        found: What came out; NaN where the script no longer gives it.
        paper: The paper's number, where it states one.
        expected: What came out when the page of the reproduction was written, if it is on that page.
        tolerance: Largest difference from ``expected`` that other machines and libraries explain.
    """

    name: str
    found: float
    paper: float | None = None
    expected: float | None = None
    tolerance: float | None = None

    @property
    def within(self) -> bool | None:
        """Whether what was found is as expected; ``None`` where nothing is."""
        if self.expected is None or self.tolerance is None:
            return None
        return abs(self.found - self.expected) <= self.tolerance


@dataclass(frozen=True)
class Paper:
    """The reproduction of a paper.

    Attributes:
        name: Name of its folder.
        title: Whose paper it is.
        figures: Figures and tables by the name of their script, each with its title and quantities.
    """

    name: str
    title: str
    figures: Mapping[str, Mapping[str, Any]]

    def run(
        self, figure: str, folder: Path, *, seed: int, quick: bool, tell: Callable[[str], None]
    ) -> list[Quantity]:
        """Run one script, which writes ``<figure>.png``; a quick run is compared with nothing."""
        _import_package()
        script = importlib.import_module(f"{_PACKAGE}.{self.name}.{figure}")
        found = script.run(folder, seed=seed, quick=quick, tell=tell)
        return compare(found, {} if quick else self.figures[figure]["quantities"])


def compare(found: Mapping[str, float], expected: Mapping[str, Mapping[str, Any]]) -> list[Quantity]:
    """Set what was found beside what is expected, in the order of the latter."""
    names = [*expected, *(name for name in found if name not in expected)]
    return [Quantity(name, found.get(name, math.nan), **expected.get(name, {})) for name in names]


def papers() -> dict[str, Paper]:
    """Return the papers that there are reproductions of, by name."""
    found = {}
    for path in sorted(_home().glob(f"*/{_EXPECTED}")):
        content = json.loads(path.read_text(encoding="utf-8"))
        name = path.parent.name
        found[name] = Paper(name, content["paper"], content["figures"])
    return found


def _home() -> Path:
    """Return the folder of reproductions: inside an installed package, or at the root of a checkout.

    Raises:
        DataError: If there is none.
    """
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "reproductions", package.parents[1] / "reproductions")
    for folder in candidates:
        if any(folder.glob(f"*/{_EXPECTED}")):
            return folder
    raise DataError(f"reproductions: expected in {' or '.join(map(str, candidates))}, found in neither")


def _import_package() -> None:
    """Make the folder importable as ``unrelu.reproductions``, wherever it lies."""
    if _PACKAGE in sys.modules:
        return
    folder = _home()
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = module
    spec.loader.exec_module(module)
