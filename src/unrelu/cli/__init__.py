"""The command line: thin commands over the library."""

from unrelu.cli._app import main

__all__ = ["main"]
