"""Dataset rows out of the text of a file: JSON, JSON lines or CSV, every fault with its line."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final, Literal, NoReturn, cast

from pydantic import JsonValue

from domain.dataset.errors import RowsAreMalformed
from domain.dataset.shape import MAX_FAULTS, other_fields
from domain.errors import Fault
from domain.text import JsonObject, json_faults

RowFormat = Literal["json", "jsonl", "csv"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")


class _Unreadable(Exception):
    """The text from *line* on is no row; lines count from 1."""

    def __init__(self, line: int, code: str, message: str) -> None:
        super().__init__(message)
        self.line, self.code, self.message = line, code, message


_Read = Iterator[tuple[int, object]]
"""The line a value begins at, and the value, or why there is none."""


def parse_rows(text: bytes, format: RowFormat) -> list[dict[str, JsonValue]]:
    """The rows in *text*, which is UTF-8: an array of objects, an object a line, or CSV.

    CSV has a header, and all its values are text. Every row has the fields of the first.

    Raises:
        RowsAreMalformed: Its faults name the first hundred rows that cannot be taken, by line.
    """
    rows: list[dict[str, JsonValue]] = []
    faults = list(islice(_sort(text, format, rows), MAX_FAULTS))
    if not faults and not rows:
        faults = [Fault("", "dataset.rows_missing", "Send at least one row.")]
    if faults:
        raise RowsAreMalformed(faults)
    return rows


def object_lines(text: str) -> Iterator[tuple[int, JsonObject | Fault]]:
    """Each line of *text* that is not blank, with its number: the object it holds, or its fault.

    The pointer of a fault counts the lines that are not blank, from 0.
    """
    for index, (line, value) in enumerate(_jsonl_rows(text)):
        pointer = f"/{index}"
        if isinstance(value, _Unreadable):
            yield line, Fault(pointer, value.code, f"Line {line}: {value.message}")
        elif isinstance(value, dict):
            yield line, cast("JsonObject", value)
        else:
            message = f"Line {line}: this is no JSON object."
            yield line, Fault(pointer, "json.not_an_object", message)


def _sort(text: bytes, format: RowFormat, good: list[dict[str, JsonValue]]) -> Iterator[Fault]:
    """Collect the *good* rows of *text*, and tell what is wrong with the others."""
    fields: tuple[str, ...] = ()
    for index, (line, row) in enumerate(_read(text, format)):
        pointer = f"/{index}"
        if isinstance(row, _Unreadable):
            yield Fault(pointer, row.code, f"Line {row.line}: {row.message}")
            continue
        if not isinstance(row, dict) or not row:
            message = f"Line {line}: a row is an object with at least one field."
            yield Fault(pointer, "dataset.row_not_an_object", message)
            continue
        found = cast("dict[str, JsonValue]", row)
        if unsafe := next(json_faults(found, pointer), None):
            yield Fault(unsafe.pointer, unsafe.code, f"Line {line}: {unsafe.message}")
        elif departure := other_fields(found, fields := fields or tuple(found)):
            yield Fault(pointer, "dataset.row_fields", f"Line {line}: this row {departure}.")
        else:
            good.append(found)


def _read(text: bytes, format: RowFormat) -> _Read:
    """Whatever can be read; what stops the reading comes last, as a value."""
    try:
        yield from _READERS[format](text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        yield line, _Unreadable(line, "dataset.not_utf8", "this is not UTF-8. Convert the file.")
    except _Unreadable as fault:
        yield fault.line, fault


def _json_rows(text: str) -> _Read:
    """The elements of the one array in *text*; behind a fault in its syntax nothing can be read."""
    position, line = _skip(text, 0), 1
    if text[position : position + 1] != "[":
        raise _Unreadable(1, "dataset.not_an_array", "JSON rows are one array of objects.")
    counted, closing = 0, False
    position = _skip(text, position + 1)
    while text[position : position + 1] != "]" or closing:
        line, counted = line + text.count("\n", counted, position), position
        row, position = _decode(text, position, line)
        yield line, row
        position = _skip(text, position)
        if closing := text[position : position + 1] == ",":
            position = _skip(text, position + 1)
        elif text[position : position + 1] != "]":
            line += text.count("\n", counted, position)
            raise _Unreadable(line, "json.syntax", "a comma or the end of the array is missing.")
    if text[_skip(text, position + 1) :]:
        raise _Unreadable(line, "json.syntax", "something follows the end of the array.")


def _jsonl_rows(text: str) -> _Read:
    for line, each in enumerate(text.split("\n"), start=1):
        if not each.strip():
            continue
        try:
            yield line, _only_value(each, line)
        except _Unreadable as fault:
            yield line, fault


def _csv_rows(text: str) -> _Read:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, list[str]())
        if len(set(header)) != len(header) or not all(header):
            message = "the first line names the fields, each one once and none empty."
            raise _Unreadable(1, "csv.header", message)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) == len(header):
                yield line, dict(zip(header, cells, strict=True))
            elif cells:
                message = f"there are {len(cells)} values for {len(header)} fields."
                yield line, _Unreadable(line, "csv.row_length", message)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _Unreadable(reader.line_num, "csv.syntax", f"{error}.") from error


_READERS: Final[Mapping[RowFormat, Callable[[str], _Read]]] = MappingProxyType(
    {"json": _json_rows, "jsonl": _jsonl_rows, "csv": _csv_rows}
)


def _skip(text: str, position: int) -> int:
    """Where the white space of JSON that begins at *position* ends."""
    found = _SPACE.match(text, position)
    return position if found is None else found.end()


def _only_value(text: str, line: int) -> object:
    value, end = _decode(text, _skip(text, 0), line)
    if text[_skip(text, end) :]:
        raise _Unreadable(line, "json.syntax", "something follows the object.")
    return value


def _decode(text: str, position: int, line: int) -> tuple[object, int]:
    """The JSON value at *position* of *text*, which is in *line*, and where it ends."""
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        at = line + text.count("\n", position, error.pos)
        raise _Unreadable(at, "json.syntax", f"{error.msg} at column {error.colno}.") from error
    except RecursionError as error:
        raise _Unreadable(line, "json.too_deep", "the JSON is nested too deep.") from error
    except ValueError as error:  # an endless integer, NaN, a key twice
        raise _Unreadable(line, "json.value", f"{error}") from error


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has the same key twice.")
    return result


def _constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}. Send a number or null.")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
