"""The audit trail as one file, oldest first: streamed page by page, resumed by position."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import JsonValue

from application.authorization import Permission
from infrastructure.api.dependencies import Reading
from infrastructure.api.route import router
from infrastructure.api.trail import Only
from projections.audit_trail import AuditPage, AuditRow, Cause, audit
from projections.kernel import ReadStore
from projections.paging import MAX_LIMIT, Cursor

routes = router("/v1/audit", "trail", needs=Permission.AUDIT)

Chunk = tuple[bytes, Cursor | None]
"""Some lines of the file, and where the next ones begin."""

_BEFORE_ALL: Final = 0
_CAUSE: Final = "cause"
_COLUMNS: Final = tuple(
    column
    for name in AuditRow.model_fields
    for column in (
        (f"{_CAUSE}_{part}" for part in Cause.model_fields) if name == _CAUSE else (name,)
    )
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, and runs it."""

_TYPES: Final = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header={header}",
}


@routes.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One line a fact, oldest first. `position` names the line.",
            "content": {
                "application/x-ndjson": {"schema": {"$ref": "#/components/schemas/AuditRow"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
async def export_audit(
    desk: Reading,
    only: Only,
    format: Annotated[Literal["jsonl", "csv"], Query(description="The form of a line.")] = "jsonl",
    after: Annotated[
        int,
        Query(ge=0, lt=2**63, description="Only later positions: the last one you have."),
    ] = _BEFORE_ALL,
    header: Annotated[
        Literal["present", "absent"],
        Query(description="Whether CSV begins with the names of its columns."),
    ] = "present",
) -> StreamingResponse:
    """Export the audit trail, oldest first. Go on after a broken download with `after`.

    A CSV cell that a spreadsheet would run as a formula begins with an apostrophe instead; JSON
    lines are exact.
    """
    write = _json_lines if format == "jsonl" else _csv_lines

    def read(start: Cursor) -> Callable[[ReadStore], Chunk]:
        def query(store: ReadStore) -> Chunk:
            page: AuditPage = audit(
                store, tenant=desk.tenant, order="oldest", limit=MAX_LIMIT, after=start, **only
            )
            return write(page.rows), page.next

        return query

    first = await desk.read(read((after,)))
    heading = _csv([_COLUMNS]) if format == "csv" and header == "present" else b""
    return StreamingResponse(
        _chunks(desk, heading, first, read),
        headers={"Content-Disposition": f'attachment; filename="audit.{format}"', **desk.headers},
        media_type=_TYPES[format].format(header=header),
    )


async def _chunks(
    desk: Reading,
    heading: bytes,
    first: Chunk,
    read: Callable[[Cursor], Callable[[ReadStore], Chunk]],
) -> AsyncIterator[bytes]:
    """The lines of the file; each page is read when the client has taken the one before."""
    lines, following = first
    yield heading + lines
    while following is not None:
        lines, following = await desk.read(read(following))
        yield lines


def _json_lines(rows: Sequence[AuditRow]) -> bytes:
    return b"".join(row.model_dump_json().encode() + b"\n" for row in rows)


def _csv_lines(rows: Sequence[AuditRow]) -> bytes:
    return _csv([_cell(flat.get(column)) for column in _COLUMNS] for flat in map(_flat, rows))


def _flat(row: AuditRow) -> Mapping[str, JsonValue]:
    cause = row.cause.model_dump(mode="json") if row.cause else {}
    flat = {f"{_CAUSE}_{part}": value for part, value in cause.items()}
    return row.model_dump(mode="json", exclude={_CAUSE}) | flat


def _cell(value: JsonValue) -> JsonValue:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv(lines: Iterable[Sequence[JsonValue]]) -> bytes:
    """*lines* as RFC 4180 has them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
