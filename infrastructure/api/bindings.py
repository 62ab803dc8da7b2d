"""Bindings over HTTP: which changes of records run which program, on what, and into what."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response, status
from pydantic import Field, PositiveInt

from application.bindings import (
    BindingName,
    ChangeBinding,
    CreateBinding,
    PauseBinding,
    RemoveBinding,
    ResumeBinding,
)
from application.errors import AggregateNotFound
from application.reasons import NO_REASON
from domain.binding.values import BindingStatus, InputSource, Trigger
from domain.record.values import ResourceName
from domain.text import LongText, SafeText
from infrastructure.api.bodies import Body, NewThing
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import bindings as read_model
from projections.bindings import BindingRow
from projections.records import CallRow, CallStatus, calls_of_binding

KIND = "binding"
PATH = "/v1/bindings"
routes = router(PATH, "bindings")


class Bound(Body):
    """What is bound to what."""

    action: Trigger = Field(default=Trigger.CREATE, description="What happens to a record.")
    changed: tuple[SafeText, ...] = Field(
        default=(), description="Only updates that change one of these fields; any if left out."
    )
    program: str = Field(description="Id or name.", examples=["summarizer"])
    program_version: PositiveInt | None = Field(
        default=None, description="The deployed version if left out, or else the latest."
    )
    inputs: dict[SafeText, InputSource] = Field(
        description="By input of the program: what the record holds at a JSON pointer, or a value.",
        examples=[{"article": {"pointer": "/content"}, "words": {"value": 50}}],
    )
    outputs: dict[SafeText, SafeText] = Field(
        description="By field of the record: the output that goes into it.",
        examples=[{"summary": "summary"}],
    )


class NewBinding(NewThing, Bound):
    """A program to run whenever such a record is created or updated."""

    name: BindingName = Field(description="In full it is then called `post.summarise`.")
    resource: ResourceName = Field(description="The kind of records.", examples=["post"])


class Reason(Body):
    """Why something is done."""

    reason: LongText = NO_REASON


@routes.post("", status_code=status.HTTP_201_CREATED)
async def create_binding(body: NewBinding, desk: Writing, response: Response) -> Written:
    """Bind a program to what happens to records. Records that are there already do not run it."""
    program_id = await desk.id_of("program", body.program)
    values = body.model_dump(exclude={"id", "program"})
    binding_id = desk.new_id(KIND, body.id)
    command = wish(CreateBinding, binding_id=binding_id, program_id=program_id, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{binding_id}")


@routes.get("")
async def list_bindings(
    desk: Reading,
    resource: Annotated[str | None, Query(description="Only those to such records.")] = None,
    program_id: Annotated[UUID | None, Query(description="Only those of a program.")] = None,
    binding_status: Annotated[BindingStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[BindingRow]:
    """List bindings, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.bindings(
                store,
                tenant=desk.tenant,
                resource=resource,
                program_id=program_id,
                status=binding_status,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{binding}")
async def get_binding(binding: IdOrName, desk: Reading, response: Response) -> BindingRow:
    """Read one binding, by id or by name, such as `post.summarise`."""
    wanted = id_or(binding)
    row = await desk.read(lambda store: read_model.binding(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.get("/{binding}/calls")
async def list_calls_of_binding(
    binding: IdOrName,
    desk: Reading,
    call_status: Annotated[CallStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[CallRow]:
    """List what called a binding, and what became of it: the latest first, of all records."""
    binding_id, after = await desk.id_of(KIND, binding), decode(cursor)
    return shown(
        await desk.read(
            lambda store: calls_of_binding(
                store,
                binding_id,
                tenant=desk.tenant,
                status=call_status,
                limit=limit,
                after=after,
            )
        )
    )


@routes.post("/{binding}/change")
async def change_binding(
    binding: IdOrName, body: Bound, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Bind differently from now on; what was called gets its answer as it was bound then."""
    binding_id = await desk.id_of(KIND, binding)
    program_id = await desk.id_of("program", body.program)
    command = wish(
        ChangeBinding,
        binding_id=binding_id,
        program_id=program_id,
        expected_version=expected,
        **body.model_dump(exclude={"program"}),
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{binding_id}")


@routes.post("/{binding}/pause")
async def pause_binding(
    binding: IdOrName, body: Reason, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Have changes run it no more, until it is resumed. What was called gets its answer."""
    binding_id = await desk.id_of(KIND, binding)
    command = wish(
        PauseBinding, binding_id=binding_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{binding_id}")


@routes.post("/{binding}/resume")
async def resume_binding(
    binding: IdOrName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Have changes from now on run it again; those of the meantime do not."""
    binding_id = await desk.id_of(KIND, binding)
    command = wish(ResumeBinding, binding_id=binding_id, expected_version=expected)
    return written(response, await desk.dispatch(command), f"{PATH}/{binding_id}")


@routes.post("/{binding}/remove")
async def remove_binding(
    binding: IdOrName, body: Reason, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Have nothing run it ever again. It stays readable, and its name is not free again."""
    binding_id = await desk.id_of(KIND, binding)
    command = wish(
        RemoveBinding, binding_id=binding_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{binding_id}")
