"""Replies that go on for long, read line by line, and gone on with where a connection broke."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Final, TypeVar

from infrastructure.client.errors import StratalProblem, StratalUnreachable
from infrastructure.client.resources import JsonObject
from infrastructure.client.transport import TRIES, Transport

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_PATIENT_TRIES: Final = 32
"""About a minute: a server that is started again meanwhile is followed on."""

Placed = Iterator[tuple[int, T]]
"""Items, each with its position in the log."""


def facts(transport: Transport, after: int, topics: tuple[str, ...]) -> Iterator[JsonObject]:
    """Facts later than position *after* as they happen, without end."""

    def read(position: int) -> Placed[JsonObject | None]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(position)}
        with transport.opened("/v1/events", query={"topic": topics}, headers=headers) as reply:
            yield position, None  # that it answers at all is progress: what is quiet may be cut
            for fields in _blocks(iter(reply.readline, b"")):
                if "id" in fields:  # without data it only says that it lives, and where it is
                    data = fields.get("data")
                    yield int(fields["id"]), None if data is None else json.loads(data)

    reached = after
    while True:
        for position, fact in _resumed(read, reached, transport.url, tries=_PATIENT_TRIES):
            reached = position
            if fact is not None:
                yield fact
        time.sleep(_FIRST_PAUSE_S)  # a server that stops ends its streams well; another may come


def moments(transport: Transport, path: str, after: int) -> Iterator[JsonObject]:
    """What is told of one thing later than its version *after*, up to its end."""
    has_ended = False

    def read(version: int) -> Placed[JsonObject | None]:
        nonlocal has_ended
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(version)}
        with transport.opened(path, query={}, headers=headers) as reply:
            yield version, None
            for fields in _blocks(iter(reply.readline, b"")):
                version = int(fields.get("id", version))
                if "data" in fields:
                    yield version, {"event": fields["event"], **json.loads(fields["data"])}
            # One that is told to its end is told nothing more; a server that stops tells no end.
            has_ended = reply.status == HTTPStatus.NO_CONTENT

    reached = after
    while not has_ended:
        for version, moment in _resumed(read, reached, transport.url, tries=_PATIENT_TRIES):
            reached = version
            if moment is not None:
                yield moment
                if moment["event"] == "state" and moment["finished_at"] is not None:
                    return
        time.sleep(_FIRST_PAUSE_S)


def audit_lines(
    transport: Transport, after: int, form: str, query: Mapping[str, object]
) -> Iterator[bytes]:
    """The lines of the export later than position *after*, oldest first; of CSV the heading too."""

    def read(position: int) -> Placed[bytes]:
        heading = "present" if position == after else "absent"
        asked = {**query, "format": form, "after": position, "header": heading}
        with transport.opened("/v1/audit/export", query=asked, headers={}) as reply:
            for line in iter(reply.readline, b""):
                yield _position(line, form, position), line

    for _, line in _resumed(read, after, transport.url, tries=TRIES):
        yield line


def _resumed(read: Callable[[int], Placed[T]], after: int, url: str, *, tries: int) -> Placed[T]:
    """What *read* gives from *after* on; where the connection breaks, it is read on from there."""
    left, pause_s = tries, _FIRST_PAUSE_S
    while True:
        try:
            for position, item in read(after):
                left, after = tries, position
                if item is not None:
                    pause_s = _FIRST_PAUSE_S
                yield position, item
        except StratalProblem as problem:
            if problem.status != HTTPStatus.SERVICE_UNAVAILABLE or left == 1:
                raise
        except (OSError, HTTPException) as error:
            if left == 1:
                raise StratalUnreachable(url, str(error) or type(error).__name__) from None
        else:
            return
        left -= 1
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _position(line: bytes, form: str, before: int) -> int:
    """The position that *line* names; the heading of CSV names none."""
    if form == "jsonl":
        position: int = json.loads(line)["position"]
        return position
    cell, _, _ = line.partition(b",")
    return int(cell) if cell.isdigit() else before


def _blocks(lines: Iterator[bytes]) -> Iterator[Mapping[str, str]]:
    """The fields of each event of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if text := line.decode().rstrip("\r\n"):
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            yield fields
            fields = {}
