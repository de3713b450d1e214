"""Published files: where they lie on this machine, where to get them, and whether they are the right ones."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from unrelu.datasets._optional import optional
from unrelu.errors import DataError

VARIABLE = "UNRELU_DATA"


@dataclass(frozen=True)
class Published:
    """A file with a public home; `digest` is ``algorithm:hexadecimal`` of the file as downloaded."""

    name: str
    url: str
    digest: str


def data_folder(dataset: str, folder: Path | None) -> Path | None:
    """The dataset's subfolder of `folder`, or of the one that UNRELU_DATA names; None where neither is given.

    Raises:
        DataError: A folder is given, but has no such subfolder.
    """
    given = os.environ.get(VARIABLE)
    root = folder if folder is not None else Path(given) if given else None
    if root is None:
        return None
    found = root / dataset
    if not found.is_dir():
        origin = "folder" if folder is not None else VARIABLE
        raise DataError(f"{root}: expected a subfolder {dataset!r} in the data folder given by {origin}")
    return found


def download(file: Published, dataset: str) -> Path:
    """The file in the user's cache, fetched if it is not there or damaged; pooch checks its digest.

    Raises:
        DataError: The network or the cache fails, or the file is not the published one.
        MissingExtraError: pooch is not installed.
    """
    pooch = optional("pooch", f"{dataset}: downloading {file.name}")
    try:
        path = pooch.retrieve(
            file.url, known_hash=file.digest, fname=file.name, path=pooch.os_cache("unrelu") / dataset
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{file.url}: cannot be downloaded ({reason}); "
            f"put {file.name} into the subfolder {dataset!r} of a folder named by {VARIABLE}"
        ) from error
    return Path(path)


def check_digest(path: Path, digest: str, content: bytes | None = None) -> None:
    """Compare a file, or what was unpacked from it, with its published digest.

    Args:
        path: The file, for reading and for the message.
        digest: ``algorithm:hexadecimal``.
        content: What to take the digest of instead of the bytes of the file.

    Raises:
        DataError: They differ, or the file cannot be read.
    """
    algorithm, _, wanted = digest.partition(":")
    found = _of_file(path, algorithm) if content is None else _of_bytes(content, algorithm)
    if found != wanted:
        raise DataError(f"{path}: expected {algorithm} {wanted}, got {found}: not the published file")


def _of_bytes(content: bytes, algorithm: str) -> str:
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def _of_file(path: Path, algorithm: str) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(
                stream, lambda: hashlib.new(algorithm, usedforsecurity=False)
            ).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
