"""``python -m examples.generator -o folder``: train, measure, and write the figures and the picture."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from ._run import run


def main() -> None:
    """Run the example as the command line says."""
    parser = ArgumentParser(
        prog="python -m examples.generator", description="An injective generator of digits."
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("generator-output"), help="folder to write to"
    )
    parser.add_argument("--quick", action="store_true", help="few digits and one epoch: only to see it run")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    results = run(given.output, quick=given.quick, tell=_tell)
    for kind, figures in results.items():
        for name, value in figures.items():
            sys.stdout.write(f"{kind:10} {name:50} {value:.4g}\n")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
