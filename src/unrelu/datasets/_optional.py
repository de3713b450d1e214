"""Libraries that only some data need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from unrelu.errors import MissingExtraError


def optional(module: str, purpose: str) -> ModuleType:
    """The module, imported now.

    Args:
        module: Dotted name.
        purpose: What it is needed for, as the message begins.

    Raises:
        MissingExtraError: It is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{purpose}: needs {package}, which is not installed; pip install 'unrelu[data]'"
        ) from error
