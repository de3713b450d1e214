"""The application: commands, and errors as one clear line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from unrelu._version import __version__
from unrelu.cli import (
    _about,
    _audit,
    _collide,
    _complete,
    _decide,
    _demo,
    _invert,
    _preimage,
    _reproduce,
    _spectrum,
    _verify,
)
from unrelu.cli._exit import Exit
from unrelu.errors import UnreluError

app = typer.Typer(
    name="unrelu",
    help="What ReLU layers forget, with proof.",
    epilog="Start with: unrelu demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("audit")(_audit.audit)
app.command("preimage")(_preimage.preimage)
app.command("collide")(_collide.collide)
app.command("decide")(_decide.decide)
app.command("complete")(_complete.complete)
app.command("spectrum")(_spectrum.spectrum)
app.command("invert")(_invert.invert)
app.command("verify")(_verify.verify)
app.command("demo")(_demo.demo)
app.command("reproduce")(_reproduce.reproduce)
app.command("env")(_about.env)
app.command("cite")(_about.cite)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unrelu {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What ReLU layers forget, with proof."""


def main() -> None:
    """Run the command line; report errors of unrelu's own in one line."""
    try:
        app()
    except UnreluError as error:
        typer.secho(f"unrelu: {' '.join(str(error).split())}", err=True, fg="red")
        sys.exit(Exit.ERROR)
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        sys.exit(Exit.ERROR)
