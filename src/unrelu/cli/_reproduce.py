"""``unrelu reproduce``."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unrelu.cli._exit import Exit
from unrelu.cli._options import Force, check_outputs, make_folder

if TYPE_CHECKING:
    from rich.table import Table

    from unrelu.cli._reproductions import Paper, Quantity

_RESULTS = "results.json"

Results = dict[str, list["Quantity"]]


def reproduce(
    paper: Annotated[str, typer.Argument(metavar="PAPER", help="Name of a paper, such as eckert2024.")],
    figure: Annotated[
        str | None, typer.Argument(metavar="FIGURE", help="One figure or table; all if not given.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the pictures and results.json.")
    ] = Path("reproductions-output"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Few data and epochs, to try it out; nothing is compared.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the first of the runs that are averaged.")] = 0,
    force: Force = False,
) -> None:
    """Compute the figures and tables of a paper anew and compare them with what is expected.

    Exit code 0 if every figure is within its tolerance, 1 otherwise.

    For example:

      unrelu reproduce eckert2024 table1

      unrelu reproduce eckert2024 -o eckert2024 --quick
    """
    from rich.console import Console

    chosen = _paper(paper)
    figures = _figures(chosen, figure)
    make_folder(output)
    check_outputs(force, output / _RESULTS, *(output / f"{name}.png" for name in figures))
    about = {"paper": chosen.name, "seed": seed, "quick": quick}
    results: Results = {}
    interrupted = False
    try:
        _run(chosen, figures, output, about, results)
    except KeyboardInterrupt:
        interrupted = True
    console = Console(soft_wrap=True)
    for name, quantities in results.items():
        console.print(_table(f"{name}: {chosen.figures[name]['title']}", quantities))
    typer.echo(f"pictures and {_RESULTS}: {output}", err=True)
    if interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    if any(quantity.within is False for quantities in results.values() for quantity in quantities):
        raise typer.Exit(Exit.ERROR)


def _paper(name: str) -> Paper:
    from unrelu.cli._reproductions import papers

    known = papers()
    if name not in known:
        raise typer.BadParameter(f"no paper {name!r}; there are: {', '.join(known)}", param_hint="PAPER")
    return known[name]


def _figures(paper: Paper, figure: str | None) -> list[str]:
    if figure is None:
        return list(paper.figures)
    if figure not in paper.figures:
        message = f"{paper.name} has no {figure!r}; there are: {', '.join(paper.figures)}"
        raise typer.BadParameter(message, param_hint="FIGURE")
    return [figure]


def _run(paper: Paper, figures: list[str], folder: Path, about: dict[str, Any], results: Results) -> None:
    """Run the scripts one after another; what is done is on disk before the next one starts."""
    from unrelu._progress import progress_bar
    from unrelu.output import write_text

    with progress_bar(sys.stderr.isatty()) as bar:
        task = bar and bar.add_task(paper.name, total=len(figures))

        def tell(text: str) -> None:
            if bar:
                bar.update(task, description=text)

        for name in figures:
            results[name] = paper.run(name, folder, seed=about["seed"], quick=about["quick"], tell=tell)
            write_text(folder / _RESULTS, _document(about, results), force=True)
            if bar:
                bar.advance(task)


def _document(about: dict[str, Any], results: Results) -> str:
    """Return the results as JSON, which has no NaN."""
    from importlib.metadata import version

    figures = {
        name: [
            {**asdict(q), "found": q.found if math.isfinite(q.found) else None, "within": q.within}
            for q in quantities
        ]
        for name, quantities in results.items()
    }
    versions = {name: version(name) for name in ("unrelu", "torch", "numpy")}
    return json.dumps({**about, "versions": versions, "figures": figures}, indent=2, allow_nan=False) + "\n"


def _table(title: str, quantities: list[Quantity]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("quantity")
    for heading in ("paper", "expected", "ours", "within"):
        table.add_column(heading, justify="right")
    for q in quantities:
        expected = "" if q.expected is None else f"{_number(q.expected)} ± {_number(q.tolerance)}"
        verdict = {True: "yes", False: "[bold red]NO[/]", None: ""}[q.within]
        table.add_row(escape(q.name), _number(q.paper), expected, _number(q.found), verdict)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
