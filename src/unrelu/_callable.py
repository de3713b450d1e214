"""Packages that can be called: ``unrelu.audit(...)`` is ``unrelu.audit.audit(...)``."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _CallableModule(ModuleType):
    _function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def make_callable(package: str, function: Callable[..., Any]) -> None:
    """Let calls of an imported package go to one of its functions."""
    module = sys.modules[package]
    module.__class__ = _CallableModule
    module.__dict__.update(_function=function, __signature__=inspect.signature(function))
