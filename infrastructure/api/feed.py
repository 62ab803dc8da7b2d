"""The public feed over HTTP: every fact of a tenant once, in order, as pages or as a stream."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from time import monotonic
from typing import Annotated, Final

from fastapi import Header, Query, Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field

from application.authorization import Permission
from application.errors import StoreIsUnavailable
from application.feed import EventView, public
from domain.kernel import Recorded
from infrastructure.api.callers import is_welcome
from infrastructure.api.dependencies import Desk, ReadingNow
from infrastructure.api.pages import LIMIT, Limit
from infrastructure.api.route import router
from infrastructure.api.streams import (
    HEARTBEAT_S,
    LOOK_AGAIN_S,
    RETRY_MS,
    EventStream,
    Follower,
    Line,
    Streams,
)
from infrastructure.api.trail import Topics
from projections.paging import MAX_LIMIT
from projections.topics import matching

routes = router("/v1/events", "trail", needs=Permission.AUDIT)

_AT_ONCE_BYTES: Final = 256 * 1024
"""What a client that hardly reads may have waiting for it: so much, and one event more."""
_WINDOW: Final = 10_000
_WINDOWS: Final = 20
"""A page looks at so many windows of positions at most, however few of them are the tenant's."""

_STREAM: Final = "text/event-stream"


class EventFeed(BaseModel):
    """Facts in order. Ask again with ``after=<next>``; all was told once ``next`` is ``head``."""

    items: tuple[EventView, ...]
    next: int = Field(description="The position to go on after: all up to it was looked at.")
    head: int = Field(description="Where the log ended.")


@routes.get(
    "",
    response_model=EventFeed,
    responses={200: {"content": {_STREAM: {"schema": {"type": "string"}}}}},
)
async def read_events(
    request: Request,
    desk: ReadingNow,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only later positions.")] = 0,
    topic: Topics = [],  # noqa: B006 - FastAPI copies the default
    limit: Limit = LIMIT,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/json",
    last_event_id: Annotated[
        int | None,
        Header(
            alias="Last-Event-ID",
            ge=0,
            lt=2**63,
            description="The last position a stream told; `after` if left out. A stream from "
            "beyond the end of the log waits until the log has come there.",
        ),
    ] = None,
) -> EventFeed | Response:
    """Follow the log: every fact of the tenant once, in order, from a position on.

    With `Accept: text/event-stream` it is a stream of server-sent events: `id` is the position,
    `event` the topic, `data` the same as an item of a page.
    """
    topics = matching(topic)
    if _STREAM not in accept:
        return await desk.run(partial(_page, desk, topics, after, limit))
    start = after if last_event_id is None else last_event_id
    told = _Told(desk, topics, start, partial(is_welcome, request))
    return EventStream(told, desk.deps.streams)


class _Told:
    """What one stream tells, and how far it has got."""

    def __init__(
        self,
        desk: Desk,
        topics: Sequence[str],
        position: int,
        is_welcome: Callable[[], Awaitable[bool]],
    ) -> None:
        self._desk, self._topics, self._position = desk, topics, position
        self._is_welcome = is_welcome
        self._is_near_the_end = False

    @property
    def tenant(self) -> str:
        """Whose facts they are."""
        return self._desk.tenant

    async def all(self, streams: Streams, follower: Follower) -> AsyncIterator[bytes]:
        """The stream, until the client goes or may not follow any more, or the server stops."""
        yield format_sse_event(retry=RETRY_MS)
        told_s = monotonic()
        while not streams.is_closed and await self._is_welcome():
            follower.listen()
            before = self._position
            try:
                lines = await self._next(streams)
            except StoreIsUnavailable:
                return  # the client comes back with the last position it was told
            if not lines and monotonic() > told_s + HEARTBEAT_S:
                lines = [format_sse_event(comment="nothing new", id=str(self._position))]
            for part in _parts(lines):
                yield part
                told_s = monotonic()
            if self._position == before and not streams.is_closed:
                await follower.wait(LOOK_AGAIN_S)

    async def _next(self, streams: Streams) -> Sequence[bytes]:
        """What follows, event by event; it may be nothing although the position moved."""
        if self._is_near_the_end:
            found = await streams.tail.after(self._position, self._everything)
            if found is not None:
                self._position = found[-1].position if found else self._position
                return [each.text for each in found if self._concerns(each)]
        page = await self._desk.run(
            partial(_page, self._desk, self._topics, self._position, MAX_LIMIT)
        )
        self._position, self._is_near_the_end = page.next, page.next == page.head
        return list(map(_text, page.items))

    async def _everything(self, after: int, limit: int) -> Sequence[Line]:
        everything = self._desk.deps.everything
        return await self._desk.run(lambda: [_line(each) for each in everything(after, limit)])

    def _concerns(self, line: Line) -> bool:
        return line.tenant == self._desk.tenant and (not self._topics or line.topic in self._topics)


def _page(desk: Desk, topics: Sequence[str], after: int, limit: int) -> EventFeed:
    """The next facts after a position. Blocks.

    The end of the log is asked for first: what is up to it can be read by then.
    """
    head = desk.deps.head()
    found: list[Recorded] = []
    position = after
    for _ in range(_WINDOWS):
        if position >= head or len(found) == limit:
            break
        stop, left = min(position + _WINDOW, head), limit - len(found)
        part = desk.deps.events(position, left, tenant=desk.tenant, topics=topics, stop=stop)
        found += part
        position = stop if len(part) < left else part[-1].position or 0
    return EventFeed(items=tuple(map(public, found)), next=position, head=head)


def _parts(texts: Sequence[bytes]) -> Iterator[bytes]:
    """*texts* in few pieces, none of which is large: each is sent before the next one is made."""
    part, size = list[bytes](), 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= _AT_ONCE_BYTES:
            yield b"".join(part)
            part, size = [], 0
    if part:
        yield b"".join(part)


def _line(recorded: Recorded) -> Line:
    view = public(recorded)
    return Line(view.position, recorded.envelope.tenant, view.topic, _text(view))


def _text(event: EventView) -> bytes:
    return format_sse_event(
        data_str=event.model_dump_json(), event=event.topic, id=str(event.position)
    )
