"""Rows out of files: JSON, JSON lines, CSV, and all that is wrong with them."""

import csv
import io
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.rows import RowFormat, parse_rows
from domain.dataset.errors import RowsAreMalformed

ROWS = [{"message": "It crashes,\n\u2028twice", "queue": "bug"}, {"message": "", "queue": "é"}]


def faults(text: str | bytes, format: RowFormat) -> list[tuple[str, str, str]]:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    with pytest.raises(RowsAreMalformed) as refusal:
        parse_rows(raw, format)
    return [(fault.pointer, fault.code, fault.message) for fault in refusal.value.faults]


def as_csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.feature("DST-02")
@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("json", json.dumps(ROWS)),
        ("json", json.dumps(ROWS, indent=2) + "\n"),
        ("jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)),
        ("jsonl", "\r\n\r\n".join(json.dumps(row) for row in ROWS) + "\r\n"),
        ("csv", as_csv(ROWS)),
        ("csv", "\ufeff" + as_csv(ROWS).replace("\r\n", "\n")),
    ],
)
def test_dst_02_rows_are_read_in_every_format(format: RowFormat, text: str) -> None:
    assert parse_rows(text.encode(), format) == ROWS


@given(
    st.lists(
        st.fixed_dictionaries(
            {"a": st.text(st.characters(exclude_characters="\0", codec="utf-8"))}
        ),
        min_size=1,
    )
)
def test_what_is_written_is_what_is_read(rows: list[dict[str, str]]) -> None:
    for text in (json.dumps(rows), json.dumps(rows, indent=1, ensure_ascii=False)):
        assert parse_rows(text.encode(), "json") == rows
    lines = "\n".join(json.dumps(row) for row in rows)
    assert parse_rows(lines.encode(), "jsonl") == rows


@pytest.mark.feature("DST-02")
def test_dst_02_every_bad_line_is_named_at_once() -> None:
    lines = [
        '{"a": 1, "b": 2}',
        '{"a": 1}',
        "",
        '{"a": 1, "b": }',
        "[1]",
        '{"a": NaN, "b": 2}',
        '{"a": 1, "a": 2, "b": 3}',
        '{"a": "\\u0000", "b": 2}',
        '{"a": 1e999, "b": 2}',
        '{"a": 1, "b": 2} x',
        '{"a": ' + "9" * 5000 + ', "b": 2}',
        '{"a": ' + "[" * 100_000 + ', "b": 2}',
        '{"a": 3, "b": 4}',
    ]
    found = faults("\n".join(lines), "jsonl")
    assert [(pointer, code) for pointer, code, _ in found] == [
        ("/1", "dataset.row_fields"),
        ("/2", "json.syntax"),
        ("/3", "dataset.row_not_an_object"),
        ("/4", "json.value"),
        ("/5", "json.value"),
        ("/6/a", "text.unsafe"),
        ("/7/a", "json.not_finite"),
        ("/8", "json.syntax"),
        ("/9", "json.value"),
        ("/10", "json.too_deep"),
    ]
    assert [message.split(":")[0] for *_, message in found] == [
        f"Line {line}" for line in (2, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    ]


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ('{"a": 1}', 1, "dataset.not_an_array"),
        ("", 1, "dataset.not_an_array"),
        ('[\n{"a": 1},\n{"a" 2}\n]', 3, "json.syntax"),
        ('[\n{"a": 1}\n{"a": 2}\n]', 3, "json.syntax"),
        ('[\n{"a": 1},\n]', 3, "json.syntax"),
        ('[\n{"a": 1}', 2, "json.syntax"),
        ('[{"a": 1}]\n[]', 1, "json.syntax"),
        ('[{"a": 1},\n\n{"b": 1}]', 3, "dataset.row_fields"),
        ('[{"a":\n\n]', 3, "json.syntax"),
    ],
)
def test_a_fault_in_a_json_array_has_its_line(text: str, line: int, code: str) -> None:
    ((_, found, message),) = faults(text, "json")
    assert found == code
    assert message.startswith(f"Line {line}: ")


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("a,b\n1,2\n1\n", 3, "csv.row_length"),
        ('a,b\n"1\n2",2\n\n1,2,3\n', 5, "csv.row_length"),
        ("a,a\n1,2\n", 1, "csv.header"),
        ("a,\n1,2\n", 1, "csv.header"),
        ('a,b\n"1" x,2\n', 2, "csv.syntax"),
        ("a\nx\0\n", 2, "text.unsafe"),
    ],
)
def test_a_fault_in_csv_has_its_line(text: str, line: int, code: str) -> None:
    ((_, found, message),) = faults(text, "csv")
    assert found == code
    assert message.startswith(f"Line {line}: ")


def test_text_that_is_not_utf8_is_refused_with_its_line() -> None:
    ((_, code, message),) = faults(b'{"a": 1}\n{"a": "\xff"}', "jsonl")
    assert code == "dataset.not_utf8"
    assert message.startswith("Line 2: ")


@pytest.mark.parametrize(
    ("format", "text"), [("json", "[]"), ("jsonl", "\n"), ("csv", ""), ("csv", "a,b\n")]
)
def test_a_file_without_rows_is_refused(format: RowFormat, text: str) -> None:
    assert faults(text, format)[0][1] == "dataset.rows_missing"


def test_at_most_a_hundred_faults_are_named() -> None:
    assert len(faults("x\n" * 1000, "jsonl")) == 100


@given(st.binary(max_size=200), st.sampled_from(["json", "jsonl", "csv"]))
def test_no_bytes_do_worse_than_be_refused(raw: bytes, format: RowFormat) -> None:
    with suppress(RowsAreMalformed):
        assert parse_rows(raw, format)
