"""``.pt2`` archives as data: zip entries, JSON and raw numbers, read without `torch.export.load`.

That function unpickles example inputs, some weights and custom objects, loads compiled code, and evaluates
expressions and names found in the file. Here none of these is even opened: a graph is read from its JSON (see
`_graph`), tensors from their bytes, and anything stored otherwise is refused.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from typing import TYPE_CHECKING, Any

import torch

from unrelu.errors import ModelError
from unrelu.layers._messages import first_line
from unrelu.layers.from_pt2._graph import StoredGraph
from unrelu.layers.from_torch import read_captured

if TYPE_CHECKING:
    from pathlib import Path

    from unrelu.layers._network import Network

_MAX_JSON = 2**26  # bytes; a graph of a thousand nodes takes about one megabyte
_MAJOR_VERSION = 8  # of torch's schema for the graph
_MODEL = "models/model.json"
_LEGACY = ("serialized_exported_program.json", "data/weights/model.pt", "data/constants/model.pt")
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
_STRIDED = 7


def network_from_archive(path: Path) -> Network:
    """Read a file written by ``torch.export.save``; nothing in it is executed or unpickled.

    Raises:
        ModelError: If the file is no such archive, holds anything but plain tensors, or a node cannot be
            read.
    """
    try:
        with torch.no_grad():
            module, example = _load_archive(path)
        return read_captured(module, example, name="the graph", origin=path.name)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _load_archive(path: Path) -> tuple[StoredGraph, torch.Tensor]:
    """Return the model as a module that evaluates the stored graph, and one random sample for it.

    Raises:
        ModelError: If the file is no such archive, or holds anything but a graph of known operators and plain
            tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _load(_Reader(archive))
    except ModelError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ModelError(f"not a .pt2 archive that can be read ({first_line(error)})") from error
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        # What Python and torch say about entries that are missing, of another kind or nested too deep.
        raise ModelError(f"the archive is damaged ({type(error).__name__}: {first_line(error)})") from error


class _Reader:
    """The entries of an archive, all in one folder and all stored as they are."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
        legacy = [name for name in _LEGACY if name in self.entries or name in archive.namelist()]
        if legacy:
            raise ModelError(
                f"{legacy[0]!r}: pickled weights of an older torch are not read; "
                "export it again with torch 2.9 or later"
            )
        if "archive_format" not in self.entries or self.read("archive_format", 16) != b"pt2":
            raise ModelError("not a .pt2 archive as torch.export.save writes it")
        if self.read("byteorder", 16) != b"little":
            raise ModelError("expected numbers in little-endian byte order")

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return an entry; nothing is larger than the file itself, as compressed entries are refused."""
        entry = self.entries.get(name)
        if entry is None:
            raise ModelError(f"the entry {name!r} is missing")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ModelError(
                f"{name!r}: expected an entry without compression, as torch.export.save writes it"
            )
        if limit is not None and entry.file_size > limit:
            raise ModelError(f"{name!r}: expected at most {limit} bytes, got {entry.file_size}")
        return self.archive.read(entry)

    def json(self, name: str) -> Any:
        """Return an entry's JSON."""
        return json.loads(self.read(name, _MAX_JSON))


def _load(reader: _Reader) -> tuple[StoredGraph, torch.Tensor]:
    if _MODEL not in reader.entries:
        raise ModelError("it holds no exported program, perhaps only compiled code")
    program = reader.json(_MODEL)
    major = program["schema_version"]["major"]
    if major != _MAJOR_VERSION:
        raise ModelError(f"expected version {_MAJOR_VERSION} of torch's graph schema, got {major!r}")
    weights, constants = _Payload(reader, "weights", "weight"), _Payload(reader, "constants", "tensor")
    graph = StoredGraph(program["graph_module"], weights.tensor, constants.tensor, _DTYPES)
    return graph.eval(), graph.example()


class _Payload:
    """The tensors of one folder, by name."""

    def __init__(self, reader: _Reader, folder: str, prefix: str) -> None:
        self.reader, self.folder, self.prefix = reader, folder, prefix
        self.config = reader.json(f"data/{folder}/model_{folder}_config.json")["config"]
        self.storages: dict[tuple[str, torch.dtype], torch.Tensor] = {}

    def tensor(self, name: str) -> torch.Tensor:
        """Return a tensor.

        Raises:
            ModelError: If it is pickled, is no tensor, or reaches beyond its storage.
        """
        entry = self.config[name]
        file, meta = entry["path_name"], entry["tensor_meta"]
        if entry["use_pickle"] is not False or not re.fullmatch(rf"{self.prefix}_\d{{1,9}}", file):
            raise ModelError(f"{name!r} in {self.folder} is not a plain tensor but pickled; it is not read")
        if meta["layout"] != _STRIDED or meta["dtype"] not in _DTYPES:
            raise ModelError(f"tensor {name!r}: expected a dense tensor of real numbers")
        sizes, strides = ([n["as_int"] for n in meta[key]] for key in ("sizes", "strides"))
        storage = self._storage(file, _DTYPES[meta["dtype"]])
        # The first: strides of 0 make a large tensor of few numbers.
        if math.prod(sizes) > storage.numel():
            raise ModelError(
                f"tensor {name!r}: shape {tuple(sizes)} is larger than its {storage.numel()} numbers"
            )
        return storage.as_strided(sizes, strides, meta["storage_offset"]["as_int"])

    def _storage(self, file: str, dtype: torch.dtype) -> torch.Tensor:
        key = (file, dtype)
        if key not in self.storages:
            data = bytearray(self.reader.read(f"data/{self.folder}/{file}"))
            self.storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return self.storages[key]
