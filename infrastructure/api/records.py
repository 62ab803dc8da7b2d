"""Records over HTTP: things of the user's own, whose changes may call programs."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Body, Path, Query, Response, status
from pydantic import Field, JsonValue

from application.errors import AggregateNotFound
from application.reasons import NO_REASON
from application.records import CreateRecord, DeleteRecord, RepeatCall, UpdateRecord
from domain.record.values import ResourceName
from domain.text import JsonObject, LongText
from infrastructure.api.bodies import NewThing
from infrastructure.api.call_views import text_of
from infrastructure.api.dependencies import Expected, Reader, Reading, Writing, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode
from infrastructure.api.route import router
from projections import records as read_model
from projections.records import CallRow, RecordHead, RecordRow

KIND = "record"
PATH = "/v1/records"
routes = router(PATH, "records")

Resource = Annotated[
    ResourceName, Path(description="What kind of record it is: a word of yours.", examples=["post"])
]
Id = Annotated[UUID, Path(alias="record_id")]


class NewRecord(NewThing):
    """Something of your own."""

    data: JsonObject = Field(examples=[{"title": "On bread", "content": "Flour, water, time."}])


class RecordView(RecordHead):
    """A record with what it holds."""

    data: JsonValue = Field(description="A JSON object; null if it was erased.")


class RecordDetail(RecordView):
    """A record with what it holds, and with the programs that its changes called."""

    calls: tuple[CallRow, ...] = Field(description="At most 50, the latest first.")


@routes.post("/{resource}", status_code=status.HTTP_201_CREATED)
async def create_record(
    resource: Resource, body: NewRecord, desk: Writing, response: Response
) -> Written:
    """Create a record. Programs that are bound to its creation run afterwards."""
    record_id = desk.new_id(KIND, body.id)
    command = wish(CreateRecord, record_id=record_id, resource=resource, data=body.data)
    return written(response, await desk.dispatch(command), _path(resource, record_id))


@routes.get("/{resource}")
async def list_records(
    resource: Resource,
    desk: Reading,
    deleted: Annotated[bool, Query(description="Those that were deleted, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[RecordView]:
    """List records of a kind, newest first."""
    after = decode(cursor)
    page = await desk.read(
        lambda store: read_model.records(
            store, resource, tenant=desk.tenant, deleted=deleted, limit=limit, after=after
        )
    )
    items = await desk.run(partial(_views, desk, page.rows))
    return PageView(items=items, next=encode(page.next))


@routes.get("/{resource}/{record_id}")
async def get_record(resource: Resource, id: Id, desk: Reading, response: Response) -> RecordDetail:
    """Read one record, deleted or not, with what became of the programs that it called."""
    found = await desk.read(
        lambda store: read_model.record(store, resource, id, tenant=desk.tenant)
    )
    if found is None:
        raise AggregateNotFound(resource, id)
    calls = await desk.read(lambda store: read_model.calls(store, id, tenant=desk.tenant))
    (view,) = await desk.run(partial(_views, desk, (found,)))
    tag(response, found.version)
    return RecordDetail(**dict(view), calls=tuple(calls))


@routes.patch("/{resource}/{record_id}")
async def update_record(
    resource: Resource,
    id: Id,
    patch: Annotated[
        JsonObject,
        Body(
            description="A JSON merge patch (RFC 7396): what it does not name stays, null takes a "
            "field away.",
            examples=[{"title": "On good bread", "draft": None}],
        ),
    ],
    desk: Writing,
    expected: Expected,
    response: Response,
) -> Written:
    """Change fields of a record. Programs that are bound to such changes run afterwards."""
    command = wish(
        UpdateRecord, record_id=id, resource=resource, patch=patch, expected_version=expected
    )
    return written(response, await desk.dispatch(command), _path(resource, id))


@routes.delete("/{resource}/{record_id}")
async def delete_record(
    resource: Resource,
    id: Id,
    desk: Writing,
    expected: Expected,
    response: Response,
    reason: Annotated[LongText, Query(description="Told in the trail.")] = NO_REASON,
) -> Written:
    """Delete a record. It stays readable and changes no more; programs under way store nothing."""
    command = wish(
        DeleteRecord, record_id=id, resource=resource, reason=reason, expected_version=expected
    )
    return written(response, await desk.dispatch(command), _path(resource, id))


@routes.post("/{resource}/{record_id}/calls/{execution_id}/repeat")
async def repeat_call(
    resource: Resource,
    id: Id,
    execution_id: UUID,
    desk: Writing,
    expected: Expected,
    response: Response,
) -> Written:
    """Call once more a program that failed, as it is bound now, on what the record holds now."""
    command = wish(
        RepeatCall,
        record_id=id,
        resource=resource,
        execution_id=execution_id,
        expected_version=expected,
    )
    return written(response, await desk.dispatch(command), _path(resource, id))


def _views(desk: Reader, rows: Sequence[RecordRow]) -> tuple[RecordView, ...]:
    """*rows* with what the records held. Blocks."""
    return tuple(
        RecordView.model_validate(dict(row) | {"data": text_of(row.data, desk.deps.payloads)})
        for row in rows
    )


def _path(resource: str, record_id: UUID) -> str:
    return f"{PATH}/{resource}/{record_id}"
