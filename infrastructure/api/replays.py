"""Replays over HTTP: repeat one execution from its log, or page by page all that there are."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Response, status
from pydantic import AwareDatetime, BaseModel, Field, PositiveInt

from application.replays import RequestReplay
from domain.execution.events import ReplayDiverged, ReplayRequested, ReplayVerified
from infrastructure.api.bodies import Body
from infrastructure.api.dependencies import (
    LATE_AFTER_S,
    Desk,
    Expected,
    Writer,
    Writing,
    wish,
)
from infrastructure.api.etags import placed, written
from infrastructure.api.execution_views import ReplayView, replay_view
from infrastructure.api.pages import decode, encode
from infrastructure.api.route import router
from infrastructure.api.runs import DEFAULT_WAIT_S, Wait, until_ended
from projections import executions as read_model
from projections.executions import ExecutionRow
from projections.paging import Page

KIND: Final = "execution"
PATH: Final = "/v1/executions"
MOST_AT_ONCE: Final = 100
"""So many are repeated for one request: more would keep work of others waiting behind them."""
routes = router(PATH, "executions")

_VERDICTS: Final = frozenset({ReplayVerified.TOPIC, ReplayDiverged.TOPIC})

Id = Annotated[UUID, Path(alias="execution_id")]


class Replays(Body):
    """Which executions to repeat: all that completed or failed, unless it says otherwise."""

    program: str | None = Field(
        default=None, min_length=1, max_length=200, description="Only those of it: id or name."
    )
    program_version: PositiveInt | None = Field(default=None, description="… of a version.")
    since: AwareDatetime | None = Field(default=None, description="Requested then or later.")
    until: AwareDatetime | None = Field(default=None, description="Requested before then.")
    unless_replayed_since: AwareDatetime | None = Field(
        default=None,
        description="Without those that were repeated then or later: so one goes on where one"
        " stopped.",
    )
    limit: int = Field(default=20, ge=1, le=MOST_AT_ONCE, description="How many at once.")
    cursor: str | None = Field(
        default=None, max_length=1024, description="`next` of the page before."
    )


class ReplaysView(BaseModel):
    """A page of repetitions, those of the newest executions first."""

    items: tuple[ReplayView, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


@routes.post("/replay")
async def replay_executions(
    body: Replays, desk: Writing, wait: Wait, response: Response
) -> ReplaysView:
    """Repeat many executions from the log alone, a page at a time, and compare each.

    Those that have no verdict within the time to wait go on, and are pending in the reply.
    """
    program_id = None if body.program is None else await desk.id_of("program", body.program)
    page = await desk.run(partial(_page, desk, body, program_id))
    wait_s = DEFAULT_WAIT_S if wait is None else wait
    items = await _replayed(desk, [each.execution_id for each in page.rows], wait_s)
    if items:
        placed(response, max(each.position for each in items))
    return ReplaysView(items=tuple(items), next=encode(page.next))


@routes.post(
    "/{execution_id}/replay",
    responses={202: {"model": ReplayView, "description": "It has not ended yet."}},
)
async def replay_execution(
    id: Id, desk: Writing, expected: Expected, wait: Wait, response: Response
) -> ReplayView:
    """Repeat an execution from the log alone, with the model switched off, and compare."""
    command = wish(RequestReplay, execution_id=id, expected_version=expected)
    with desk.deps.expect(id, _VERDICTS) as expectation:
        receipt = await desk.dispatch(command)
        written(response, receipt, f"{PATH}/{id}")
        look = partial(desk.run, partial(_replay, desk, id, receipt.version))
        wait_s = DEFAULT_WAIT_S if wait is None else wait
        view = await until_ended(expectation, look, wait_s, is_new=desk.key is None)
    placed(response, view.position)
    if not view.ended:
        response.status_code = status.HTTP_202_ACCEPTED
    return view


def _page(desk: Writer, body: Replays, program_id: UUID | None) -> Page[ExecutionRow]:
    """Those that are next. The first page knows of all that ended before it was asked for."""
    if body.cursor is None:
        desk.deps.wait_for(desk.deps.head(), LATE_AFTER_S)
    return read_model.replayable(
        desk.deps.store,
        tenant=desk.tenant,
        program_id=program_id,
        program_version=body.program_version,
        since=body.since,
        until=body.until,
        unless_replayed_since=body.unless_replayed_since,
        limit=body.limit,
        after=decode(body.cursor),
    )


async def _replayed(desk: Writer, ids: Sequence[UUID], wait_s: float) -> list[ReplayView]:
    """The replays of the executions with *ids*, as they are after *wait_s* at the latest."""
    until_s = monotonic() + wait_s
    views: list[ReplayView] = []
    with ExitStack() as expecting:
        asked = [
            (
                expecting.enter_context(desk.deps.expect(each, _VERDICTS)),
                await desk.dispatch(wish(RequestReplay, execution_id=each), part=str(each)),
            )
            for each in ids
        ]
        for expectation, receipt in asked:
            look = partial(desk.run, partial(_replay, desk, receipt.id, receipt.version))
            left_s = max(0.0, until_s - monotonic())
            views.append(await until_ended(expectation, look, left_s, is_new=False))
    return views


def _replay(desk: Desk, id: UUID, version: int) -> ReplayView:
    """The replay that the event with *version* requested."""
    history = desk.history(KIND, id)
    event = history[version - 1].event
    assert isinstance(event, ReplayRequested)
    return replay_view(history, event.replay, desk.deps.payloads)
