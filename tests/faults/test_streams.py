"""F-32: clients of the feed that leave, or that hardly read; what they leave behind is nothing.

That a stream ends well when its server stops, and that a silent one says so, is shown beside the
feed itself; models that answer byte by byte or never, beside their transport.
"""

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infrastructure.api.streams import Streams
from tests.infrastructure.api.test_feed import Followed
from tests.support import histories as build
from tests.support.api import ApiWorld
from tests.support.service import until
from tests.support.sse import serving

ROUNDS = 200
EVENTS = 100
MOST_BUFFERED = 1 << 20
LARGE = build.dataset_created("x" * 200_000)


@dataclass
class Weighed:
    """Notes the largest piece that is handed to the server at once, and all there was."""

    app: ASGIApp
    largest: ClassVar[int] = 0
    total: ClassVar[int] = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def weighed(message: Message) -> None:
            size = len(message.get("body", b""))
            Weighed.largest, Weighed.total = max(Weighed.largest, size), Weighed.total + size
            await send(message)

        await self.app(scope, receive, weighed)


@pytest.fixture
def followed() -> Iterator[Followed]:
    world, streams = ApiWorld(), Streams()
    app = world.app(streams=streams)
    app.add_middleware(Weighed)
    Weighed.largest = Weighed.total = 0
    with serving(app) as at:
        yield Followed(world, streams, at)


def client(followed: Followed) -> socket.socket:
    """A client that has read the first bytes of its stream."""
    host, port = followed.url.removeprefix("http://").split(":")
    opened = socket.create_connection((host, int(port)))
    request = "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
    opened.sendall(f"{request}X-Stratal-Tenant: acme\r\n\r\n".encode())
    assert opened.recv(12) == b"HTTP/1.1 200"
    return opened


def open_tasks() -> int:
    """How many tasks of any loop of this process have not ended."""
    gc.collect()
    found: list[Any] = [it for it in gc.get_objects() if isinstance(it, asyncio.Task)]
    return sum(not each.done() for each in found)


def test_f_32_200_clients_that_leave_in_mid_stream_leave_no_task_behind(
    followed: Followed,
) -> None:
    followed.append("acme", build.dataset_created(), *[build.rows_loaded()] * 5)
    client(followed).close()
    until(lambda: followed.streams.count, lambda count: count == 0, timeout_s=30)
    before = open_tasks()
    for _ in range(ROUNDS):
        client(followed).close()
    until(lambda: followed.streams.count, lambda count: count == 0, timeout_s=30)
    until(open_tasks, lambda tasks: tasks <= before, timeout_s=30)


def test_f_32_a_client_that_does_not_read_is_sent_no_more_than_1_mb_ahead(
    followed: Followed,
) -> None:
    """Pieces are small, and the server takes the next one once the last one is on its way."""
    for _ in range(EVENTS):
        followed.append("acme", LARGE)
    with closing(client(followed)):
        until(lambda: Weighed.total, lambda total: total > MOST_BUFFERED, timeout_s=30)
        until(lambda: Weighed.total, StaysAsItIs(), timeout_s=30, every_s=0.5)
        assert Weighed.total < EVENTS * 200_000, "most of it is not even made"
        assert Weighed.largest <= MOST_BUFFERED
    until(lambda: followed.streams.count, lambda count: count == 0, timeout_s=30)


class StaysAsItIs:
    """Whether a figure is what it was at the last look."""

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, figure: int) -> bool:
        was, self._last = self._last, figure
        return was == figure
