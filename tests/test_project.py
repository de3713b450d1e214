"""Checks that hold the house together: who may import whom, examples, one version, quick start-up, pins."""

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from unrelu._version import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "unrelu"
FILES = sorted(PACKAGE.rglob("*.py"))

# A package imports from its own row (without cycles) and from the rows above it.
# Every other module directly under unrelu is shared: all may import it, and it imports only its like.
ROWS = [
    ["shared", "certificates"],
    ["layers", "domains", "solvers", "datasets"],
    ["frames"],
    ["bias", "preimage", "injectivity", "inverse", "stability"],
    ["nn"],
    ["audit"],
    ["__init__"],
    ["cli"],
    ["__main__"],
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}


def part_of(module: str) -> str:
    """Return the part of the house a dotted module name lies in: ``unrelu.frames._rank`` is in ``frames``."""
    names = module.split(".")
    if len(names) == 1:
        return "__init__"
    if names[1] == "__main__" or (PACKAGE / names[1]).is_dir():
        return names[1]
    return "shared" if (PACKAGE / f"{names[1]}.py").is_file() else "__init__"


def module_name(path: Path) -> str:
    names = ("unrelu", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything a file imports, at any depth of its code."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            yield from (".".join([*base, alias.name]) for alias in node.names)


def crossings() -> set[tuple[str, str, str]]:
    """Return (file, part, imported part) for every import of one part of the house by another."""
    return {
        (str(path.relative_to(ROOT)), part_of(module_name(path)), part_of(name))
        for path in FILES
        for name in imports(path)
        if name.split(".")[0] == "unrelu" and part_of(name) != part_of(module_name(path))
    }


def within(name: str, *roots: str) -> bool:
    """Say whether a dotted name is one of the roots or lies below it."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def run_python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_has_its_place():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders <= set(RANK), f"give these packages a row in ROWS: {sorted(folders - set(RANK))}"


def test_imports_run_one_way():
    upward = [
        f"{file}: {part} imports {other}" for file, part, other in crossings() if RANK[other] > RANK[part]
    ]
    assert not upward, "\n".join(sorted(upward))


def test_no_cycle_between_packages():
    graph: dict[str, set[str]] = {}
    for _, part, other in crossings():
        graph.setdefault(part, set()).add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


def test_verifier_stands_alone():
    """Certificates are checked without trust in the code that found them: no solver, no torch."""
    allowed = {*sys.stdlib_module_names, "numpy", "flint"}
    foreign = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        if part_of(module_name(path)) == "certificates"
        for name in imports(path)
        if name.split(".")[0] not in allowed
        and not within(name, "unrelu.certificates", "unrelu.errors", "unrelu._version")
    ]
    assert not foreign, "\n".join(foreign)


def test_only_layers_knows_graphs():
    """Knowledge of ONNX nodes and of torch graphs lives in layers/ alone."""
    known = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        if part_of(module_name(path)) != "layers"
        for name in [*imports(path), *attributes_of_torch(path)]
        if within(name, "onnx", "onnxruntime", "onnxscript", "torch.export", "torch.fx", "torch.onnx")
    ]
    assert not known, "\n".join(known)


def attributes_of_torch(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
            yield f"torch.{node.attr}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module(path: Path):
    """Every module says what it is for, and none prints, exits or stops in a debugger."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "no docstring"
    calls = [
        f"line {node.lineno}: {node.func.id}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in {"print", "breakpoint", "exit", "quit"}
    ]
    assert not calls, "\n".join(calls)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if ">>>" in path.read_text(encoding="utf-8")],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_examples_in_docstrings(path: Path):
    module = importlib.import_module(module_name(path))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert not doctest.testmod(module, optionflags=flags).failed


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("CITATION.cff", r"^version: \"?{version}\"?$"),
        ("CHANGELOG.md", r"^## \[{version}\]"),
    ],
)
def test_version_is_named(file: str, pattern: str):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(pattern.format(version=re.escape(__version__)), text, re.MULTILINE)


def test_pins_meet_the_bounds():
    """What continuous integration installs is pinned, and no pin breaks a lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.search(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert extras
    wanted = list(project["dependencies"])
    for extra in extras[1].split(","):
        wanted += project["optional-dependencies"][extra]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines if line and line[0] != "#")
    for requirement in map(Requirement, wanted):
        pin = pins.get(requirement.name.lower().replace("_", "-"))
        assert pin, f"{requirement.name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(pin), f"{requirement} against {pin}"


def test_importing_unrelu_leaves_torch_alone():
    program = "import sys, unrelu; print(*{'torch', 'matplotlib', 'onnx', 'numba'} & set(sys.modules))"
    assert not run_python("-c", program).strip()


def test_version_answers_at_once():
    # Processor time, whatever else the machine has to do.
    seconds = []
    for _ in range(3):
        before = os.times()
        answer = run_python("-m", "unrelu", "--version")
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert __version__ in answer
    assert min(seconds) < 0.5
