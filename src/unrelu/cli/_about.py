"""``unrelu env`` and ``unrelu cite``."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import typer

_LIBRARIES = (
    "torch",
    "numpy",
    "scipy",
    "highspy",
    "numba",
    "python-flint",
    "joblib",
    "onnx",
    "scikit-learn",
    "pooch",
    "pandas",
)


def env() -> None:
    """Show versions and devices, for bug reports."""
    import torch

    from unrelu._version import __version__

    typer.echo(f"unrelu {__version__}")
    typer.echo(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _LIBRARIES:
        try:
            typer.echo(f"{name} {version(name)}")
        except PackageNotFoundError:
            typer.echo(f"{name} not installed")
    devices = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    typer.echo(f"cores {os.cpu_count()}, CUDA devices: {', '.join(devices) or 'none'}")
    typer.echo(f"data folder (UNRELU_DATA): {os.environ.get('UNRELU_DATA') or 'not set'}")


def cite() -> None:
    """Print how to cite unrelu and the papers it computes, as BibTeX."""
    from unrelu._citation import BIBTEX
    from unrelu._version import __version__

    typer.echo(BIBTEX % {"version": __version__})
