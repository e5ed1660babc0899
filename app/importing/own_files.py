"""Files of `GET /v1/runs/export`, as CSV or NDJSON, of runs or of epochs."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from uuid import UUID

from app.domain.csv_cells import read_number, read_scalar, read_text
from app.importing.steps import Bad, Body, CannotImport, End, Remark, Start, Step, log

_LONGEST_CELL = 2**24
_ENDS = {"finished": "finished", "failed": "failed", "stopped": "stopped", "crashed": "failed"}
"""What a run ends as here: that it crashed is nothing that a client can say."""

Place = str
Row = dict[str, Any]
"""A row in the form of NDJSON."""


class _BadRow(Exception):
    """This row is no run, or no epoch."""


class OwnFiles:
    """Files of runs and of epochs. All runs are started first, then they get their epochs, and then they end."""

    def __init__(self, paths: Sequence[Path]) -> None:
        files = [_File(path) for path in paths]
        self._of_runs = [file for file in files if not file.holds_epochs]
        self._of_epochs = [file for file in files if file.holds_epochs]
        # With epochs between the starts and the ends, files of runs are read twice.
        readings = files + (self._of_runs if self._of_epochs else [])
        self.size: int | None = sum(file.path.stat().st_size for file in readings)

    @property
    def position(self) -> int:
        return sum(file.n_bytes_read for file in {*self._of_runs, *self._of_epochs})

    def steps(self) -> Iterator[Step]:
        for file in self._of_runs + self._of_epochs:
            if file.may_be_cut:
                yield Remark(file.path.name, "its last line has no end; if the file was cut, so may be its last value")
        for file in self._of_runs:
            for place, row in file.rows():
                run = _read_run(place, row)
                if isinstance(run, Bad):
                    yield run
                    continue
                yield run.start
                if run.end is not None and not self._of_epochs:
                    yield End(place, run.start.run_id, run.end | {"final_metrics": run.metrics})
        for file in self._of_epochs:
            yield from _read_epochs(file)
        for file in self._of_runs if self._of_epochs else ():
            for place, row in file.rows():
                run = _read_run(place, row)
                if not isinstance(run, Bad) and run.end is not None:
                    yield End(place, run.start.run_id, run.end)


@dataclass(frozen=True, slots=True)
class _Run:
    """How a run starts, and how it ends, if it does; `metrics` are the latest, those of its epochs included."""

    start: Start
    end: Body | None
    metrics: Body


def _read_run(place: Place, row: Row | Bad) -> _Run | Bad:
    if isinstance(row, Bad):
        return row
    try:
        run_id = _id(row)
        if "epoch" in row:
            raise _BadRow("this is an epoch in a file of runs; put epochs into a file of their own")
        body = {"run_id": str(run_id), **{name: row[name] for name in _SAID if row.get(name) is not None}}
        metrics = row.get("metrics") or {}
        status = _ENDS.get(str(row.get("status")))
        if status is None:
            return _Run(Start(place, run_id, body), None, metrics)
        final = metrics if row.get("final_metrics") is None else row["final_metrics"]
        end = {"status": status, "final_metrics": final, "end_time": row.get("end_time")}
        return _Run(Start(place, run_id, body), end, metrics)
    except _BadRow as error:
        return Bad(place, str(error))


_SAID = ("name", "params", "tags", "note", "start_time")


def _read_epochs(file: "_File") -> Iterator[Step]:
    def told() -> Iterator[tuple[UUID | None, Place, Body | Bad]]:
        for place, row in file.rows():
            try:
                if isinstance(row, Bad):
                    yield None, place, row
                else:
                    yield _id(row), place, {name: row.get(name) for name in ("epoch", "metrics", "timestamp")}
            except _BadRow as error:
                yield None, place, Bad(place, str(error))

    for run_id, rows in groupby(told(), itemgetter(0)):
        if run_id is None:
            yield from (bad for _, _, bad in rows if isinstance(bad, Bad))
        else:
            yield from log(run_id, ((place, body) for _, place, body in rows if not isinstance(body, Bad)))


def _id(row: Mapping[str, Any]) -> UUID:
    try:
        return UUID(row["run_id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise _BadRow("run_id is missing, or not a UUID") from None


class _File:
    """One file, of either form; what it holds is seen from how it begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_bytes_read = 0
        if path.exists() and not path.is_file():  # a pipe, which could be read but once
            raise CannotImport(f"{path} is not a regular file; write its contents into one")
        try:
            with path.open("rb") as file:
                self._is_csv, self.holds_epochs = self._look(self._lines(iter(file)))
                # A number of which some digits are gone is a number still; what is cut of JSON is none.
                self.may_be_cut = self._is_csv and not _ends_a_line(file)
        except OSError as error:
            raise CannotImport(f"{path} cannot be read: {error.strerror}") from None
        self.n_bytes_read = 0

    def _look(self, lines: Iterator[str]) -> tuple[bool, bool]:
        """Whether it is CSV, and whether it holds epochs. A line that cannot be read says nothing of the others."""
        line = next((line for line in lines if line.strip()), "{")
        if not line.lstrip().startswith("{"):
            names = _header(chain([line], lines))
            if "run_id" not in names:
                raise CannotImport(
                    f"{self.path} is neither an export of runs or epochs (CSV, NDJSON) nor a SQLite database of MLflow"
                )
            return True, "epoch" in names
        rows = (row for _, row in self._ndjson_rows(chain([line], lines)) if not isinstance(row, Bad))
        return False, "epoch" in next(rows, {})

    def rows(self) -> Iterator[tuple[Place, Row | Bad]]:
        """The rows of the file, each with its place."""
        with self.path.open("rb") as file:
            lines = self._lines(iter(file))
            yield from self._csv_rows(lines) if self._is_csv else self._ndjson_rows(lines)

    def _lines(self, raw: Iterator[bytes]) -> Iterator[str]:
        for number, line in enumerate(raw):
            self.n_bytes_read += len(line)
            # What is no UTF-8 stays recognisable, and is refused with its row.
            yield line.decode("utf-8-sig" if number == 0 else "utf-8", "surrogateescape")

    def _place(self, line: int) -> Place:
        return f"{self.path.name} line {line}"

    def _ndjson_rows(self, lines: Iterator[str]) -> Iterator[tuple[Place, Row | Bad]]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = self._place(number)
            try:
                row = json.loads(line, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as error:
                yield place, Bad(place, f"this is no JSON: {error}")
            else:
                yield place, row if isinstance(row, dict) else Bad(place, "a JSON object is expected")

    def _csv_rows(self, lines: Iterator[str]) -> Iterator[tuple[Place, Row | Bad]]:
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(lines, strict=True)  # a quote that never ends must not swallow what follows unheard
        names = next(names for names in reader if names)
        while True:
            before = reader.line_num
            place = self._place(before + 1)
            try:
                cells = next(reader)
                if cells:
                    yield place, _from_cells(names, cells)
            except StopIteration:
                return
            except (csv.Error, _BadRow) as error:
                n_more = reader.line_num - before - 1
                yield place, Bad(place, f"{error}{f', and {n_more} lines after it' if n_more > 0 else ''}")


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) in b"\r\n"


def _header(lines: Iterator[str]) -> list[str]:
    """The names of columns at the beginning of these lines; none where they are no CSV."""
    csv.field_size_limit(_LONGEST_CELL)
    try:
        return next(csv.reader(lines, strict=True), [])
    except csv.Error:
        return []


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f'{text} is not JSON; send "{text}"')


def _from_cells(names: Sequence[str], cells: Sequence[str]) -> Row:
    """A line of CSV as a row. An empty cell is nothing.

    Raises:
        _BadRow: it has not as many cells as the header, or one of another type.
    """
    if len(cells) != len(names):
        raise _BadRow(f"there are {len(cells)} cells, but {len(names)} in the header")
    row: Row = {"params": {}, "metrics": {}}
    for name, cell in zip(names, cells, strict=True):
        kind, dot, key = name.partition(".")
        if cell == "":
            continue
        if dot and kind == "params":
            row["params"][key] = read_scalar(cell)
        elif dot and kind == "metrics":
            row["metrics"][key] = _metric(name, cell)
        elif name == "tags":
            row["tags"] = _tags(cell)
        elif name == "epoch":
            row["epoch"] = read_scalar(cell)
        else:
            row[name] = read_text(cell)
    return row


def _metric(name: str, cell: str) -> float | str:
    number = read_number(cell)
    if number is None:
        raise _BadRow(f"{name} is not a number")
    return number


def _tags(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        raise _BadRow("tags is not a JSON list") from None
