"""Writing results: nothing is overwritten unasked or left half written, and every failure says why."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unrelu.errors import OutputError


def check_writable(path: str | os.PathLike[str], force: bool = False) -> Path:
    """Check that a file can be written; called before long work, so that hours are not lost at its end.

    Args:
        path: Where the result will go. A symbolic link is followed.
        force: Whether a file that is there already may be replaced.

    Returns:
        The file that will be written, links resolved.

    Raises:
        OutputError: The file exists and ``force`` is not given, the path is a folder, its folder does not
            exist or is a file, or nothing may be written there.
    """
    with _reported(path):
        target = Path(os.path.realpath(path))
        _check_target(path, target, force)
        if not _is_stream(target):
            # Trying is the only test that knows about permissions, read-only media and full quotas alike.
            descriptor, trial = _create_beside(target)
            os.close(descriptor)
            trial.unlink()
        return target


def write_text(path: str | os.PathLike[str], text: str, *, force: bool = False) -> None:
    r"""Write text as UTF-8, whole or not at all.

    Args:
        path: The file.
        text: Its content; characters that UTF-8 cannot hold (lone surrogates) are written as ``\udc80``.
        force: Whether a file that is there already may be replaced.

    Raises:
        OutputError: As for `check_writable`, or the writing itself failed.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), force=force)


def write_bytes(path: str | os.PathLike[str], content: bytes, *, force: bool = False) -> None:
    """Write bytes, whole or not at all: to a temporary file beside the target, which then takes its name.

    Args:
        path: The file; a device or pipe such as ``/dev/stdout`` is written to directly.
        content: What to write.
        force: Whether a file that is there already may be replaced; its permissions are kept.

    Raises:
        OutputError: As for `check_writable`, or the writing itself failed.
    """
    with _reported(path):
        target = Path(os.path.realpath(path))
        _check_target(path, target, force)
        if _is_stream(target):
            target.write_bytes(content)
        else:
            _replace(target, content)


def _check_target(path: str | os.PathLike[str], target: Path, force: bool) -> None:
    """Refuse a target that is a folder, lies in no folder, or exists without ``force``."""
    if target.is_dir():
        raise OutputError(f"cannot write {os.fspath(path)}: it is a folder; name a file in it")
    if not target.parent.exists():
        raise OutputError(f"cannot write {os.fspath(path)}: the folder {target.parent} does not exist")
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {os.fspath(path)}: {target.parent} is a file, not a folder")
    if target.is_file() and not force:
        remedy = "choose another name, or replace it with --force (in Python: force=True)"
        raise OutputError(f"{os.fspath(path)} exists: {remedy}")


def _is_stream(target: Path) -> bool:
    """Say whether the target is a device, pipe or socket: renaming a file over it would destroy it."""
    return target.exists() and not target.is_file()


def _create_beside(target: Path) -> tuple[int, Path]:
    """Create a new empty file in the target's folder, with the permissions any new file gets."""
    path = target.parent / f".unrelu-{secrets.token_hex(6)}.tmp"
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), path


def _replace(target: Path, content: bytes) -> None:
    """Write a temporary file and give it the target's name; remove it if anything goes wrong."""
    descriptor, temporary = _create_beside(target)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:  # an interrupt too must leave nothing behind
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def _reported(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the operating system says into one sentence that names the file."""
    try:
        yield
    except OutputError:
        raise
    except PermissionError as error:
        raise OutputError(f"cannot write {os.fspath(path)}: no permission to write there") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {os.fspath(path)}: {reason}") from error
