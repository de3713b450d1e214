"""The tables on the page of a reproduction, made from its expected.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


def with_tables(text: str, figures: dict[str, Any]) -> str:
    """Return a page with the table between ``<!-- name -->`` and ``<!-- end -->`` filled in.

    Raises:
        KeyError: If the page names a figure that there is not.
    """

    def filled(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{table(figures[match[1]]['quantities'])}<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", filled, text, flags=re.DOTALL)


def table(quantities: dict[str, dict[str, float]]) -> str:
    """Return quantities named ``row: column`` as a table in Markdown, the paper's numbers in brackets."""
    cells = {tuple(name.split(": ")): _cell(**values) for name, values in quantities.items()}
    rows = dict.fromkeys(row for row, _ in cells)
    columns = dict.fromkeys(column for _, column in cells)
    lines = [["", *columns], ["---"] * (1 + len(columns))]
    lines += [[row, *(cells.get((row, column), "") for column in columns)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(paper: str) -> None:
    """Write the tables of a paper's page anew."""
    expected = json.loads((ROOT / paper / "expected.json").read_text(encoding="utf-8"))
    page = ROOT / paper / "README.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8"), expected["figures"]), encoding="utf-8")


def _cell(expected: float, tolerance: float, paper: float | None = None) -> str:
    ours = f"{expected:.4g} ± {tolerance:.3g}"
    return ours if paper is None else f"{ours} [{paper:g}]"
