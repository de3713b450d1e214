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


def table(quantities: dict[str, dict[str, Any]]) -> str:
    """Return quantities as a table in Markdown: what, the paper's number, ours and the tolerance."""
    lines = ["| | paper | ours | tolerance |", "|---|---:|---:|---:|"]
    for name, values in quantities.items():
        numbers = " | ".join(_number(values.get(key)) for key in ("paper", "expected", "tolerance"))
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines) + "\n"


def write(paper: str) -> None:
    """Write the tables of a paper's page anew."""
    expected = json.loads((ROOT / paper / "expected.json").read_text(encoding="utf-8"))
    page = ROOT / paper / "README.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8"), expected["figures"]), encoding="utf-8")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
