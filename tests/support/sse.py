"""Streams of server-sent events in tests: an app served over a socket, and a plain reader."""

import json
import socket
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from infrastructure.main.server import Server


@dataclass
class Serving:
    """Where an app is served; ``stop`` ends it as SIGTERM ends the API's process."""

    url: str
    server: Server
    thread: threading.Thread

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@contextmanager
def serving(app: FastAPI) -> Generator[Serving, None, None]:
    """Serve *app* during the block, as the API's process does."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=3)
    server = Server(config, app.state.deps.streams.close)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    serving = Serving(f"http://127.0.0.1:{listener.getsockname()[1]}", server, thread)
    try:
        yield serving
    finally:
        serving.stop()


@dataclass(frozen=True)
class Sent:
    """One event of a stream, by the names that the standard gives its parts."""

    id: str
    event: str
    data: Any


@contextmanager
def stream(
    url: str,
    tenant: str,
    *,
    path: str = "/v1/events",
    last_event_id: int | None = None,
    **query: Any,
) -> Generator[httpx2.Response, None, None]:
    """A stream of the feed at *url*, or of what is at *path* there."""
    headers = {"Accept": "text/event-stream", "X-Stratal-Tenant": tenant}
    if last_event_id is not None:
        headers["Last-Event-ID"] = str(last_event_id)
    with (
        httpx2.Client(base_url=url, timeout=30, trust_env=False) as client,
        client.stream("GET", path, params=query, headers=headers) as reply,
    ):
        yield reply


@dataclass(frozen=True)
class Moment:
    """What the stream of one execution tells; only what is on record has an id."""

    id: int | None
    event: str
    data: Any


def moments(reply: httpx2.Response) -> Iterator[Moment]:
    """What a stream of one execution tells, without what only keeps it open."""
    for each in blocks(reply):
        if "data" in each:
            version = int(each["id"]) if "id" in each else None
            yield Moment(version, each["event"], json.loads(each["data"]))


def blocks(reply: httpx2.Response) -> Iterator[Mapping[str, str]]:
    """The fields of each block of a stream; a comment's name is empty. Ends where it ends well."""
    assert reply.status_code == 200, reply.read().decode()
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    fields: dict[str, str] = {}
    for line in reply.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            yield fields
            fields = {}


def sent(reply: httpx2.Response) -> Iterator[Sent]:
    """The events of a stream, without what only keeps it open."""
    for each in blocks(reply):
        if "data" in each:
            yield Sent(each["id"], each["event"], json.loads(each["data"]))


def states(told: list[Moment]) -> list[str]:
    """The states of an execution, in the order in which they were told."""
    return [each.data["status"] for each in told if each.event == "state"]


def texts(told: list[Moment]) -> dict[str, str]:
    """What was told of each field; what begins anew replaces what was told before."""
    found = dict[str, str]()
    for each in told:
        if each.event == "chunk":
            before = found.get(each.data["field"], "") if each.data["offset"] else ""
            assert len(before) == each.data["offset"], "There is no gap."
            found[each.data["field"]] = before + each.data["text"]
    return found


def until_chunk(told: Iterator[Moment], field: str) -> list[Moment]:
    """What is told up to the first text of *field*."""
    seen = list[Moment]()
    for each in told:
        seen.append(each)
        if each.event == "chunk" and each.data["field"] == field:
            break
    return seen
