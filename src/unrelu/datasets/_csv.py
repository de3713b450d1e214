"""Numeric tables as comma-separated text."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unrelu.datasets._convert import as_labels
from unrelu.datasets._dataset import Dataset
from unrelu.errors import DataError

_LABEL_COLUMNS = ("label", "labels")


def read_csv(path: Path) -> Dataset:
    """One sample a line, float64; a first line without any number is a header.

    A column headed ``label`` or ``labels`` gives the labels; blank lines are skipped.

    Raises:
        DataError: Not text, no numbers, or lines of different lengths; the message names the line.
    """
    header: list[str] | None = None
    values = array("d")
    width = 0
    for line, cells in _rows(path):
        if not width:
            width = len(cells)
            if not any(_is_number(cell) for cell in cells):
                header = [cell.strip().lower() for cell in cells]
                continue
        if len(cells) != width:
            raise DataError(f"{path}: line {line}: expected {width} values, got {len(cells)}")
        values.extend(_number(path, line, column, cell) for column, cell in enumerate(cells, start=1))
    if not values:
        raise DataError(f"{path}: expected a table of numbers, got no line with numbers")
    return _dataset(path, np.array(values).reshape(-1, width), header)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as comma-separated text ({error})") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # 1_000 is a number in Python only


def _number(path: Path, line: int, column: int, cell: str) -> float:
    if not _is_number(cell):
        shown = cell if len(cell) <= 40 else cell[:40] + "..."
        raise DataError(f"{path}: line {line}, column {column}: expected a number, got {shown!r}")
    return float(cell)


def _dataset(
    path: Path, table: np.ndarray[tuple[int, int], np.dtype[np.float64]], header: list[str] | None
) -> Dataset:
    columns = [i for i, name in enumerate(header or []) if name in _LABEL_COLUMNS]
    if len(columns) > 1:
        raise DataError(f"{path}: line 1: expected one column of labels, got {len(columns)}")
    labels = as_labels(str(path), table[:, columns[0]]) if columns else None
    inputs = np.delete(table, columns, axis=1) if columns else table
    return Dataset(str(path), inputs, labels, kind="table", source=f"file {path.name}")
