"""What a request must be before anything parses it: small, text, JSON, and what it says it is."""

import re
from collections.abc import Mapping
from email.message import Message as Header
from http import HTTPMethod
from typing import ClassVar, Final

from anyio import to_thread
from pydantic import JsonValue
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import Fault
from infrastructure.api.problems import EdgeError
from infrastructure.api.strict_json import check_shape, check_text, parse

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
PARSED: Final = "stratal.json"
"""Where the guard leaves the parsed body in the scope, so that nothing parses it again."""

_IN_A_THREAD_BYTES: Final = 64 * 1024
_ROWS: Final = re.compile(r"^/v1/datasets/[^/]+/rows$")
_BATCHES: Final = re.compile(r"^/v1/programs/[^/]+/batches$")
_JSON: Final = "application/json"
_PATCH: Final = "application/merge-patch+json"
_LINES: Final = "application/x-ndjson"
_OF_ROWS: Final = (_JSON, _LINES, "text/csv")


class BodyIsTooLarge(EdgeError):
    """The body is larger than any request may be."""

    code: ClassVar[str] = "body.too_large"
    status: ClassVar[int] = 413

    def __init__(self) -> None:
        super().__init__(
            f"A body may have {MAX_BODY_BYTES} bytes. Send less, or send it in several requests."
        )


class MediaTypeIsUnknown(EdgeError):
    """The body is of a type this route does not read."""

    code: ClassVar[str] = "media_type.unknown"
    status: ClassVar[int] = 415


class AddressIsUnsafe(EdgeError):
    """Path or query hold a character that no name can have."""

    code: ClassVar[str] = "address.unsafe"
    status: ClassVar[int] = 422


class _Disconnected(Exception):
    """The client left before its body was complete; nobody waits for a reply."""


class Guard:
    """ASGI middleware that lets only well-formed requests through, each with its body read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, then hand it on.

        Raises:
            EdgeError: It must not go on.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _check_address(scope)
        headers = {name.lower(): value for name, value in scope["headers"]}
        try:
            body = await _read(headers, receive)
        except _Disconnected:
            return
        if body:
            await _check_body(scope, headers, body)
        await self._app(scope, _replay(body, receive), send)


def _check_address(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        message = "Path and query hold no NUL characters. Remove them."
        raise AddressIsUnsafe(message, (Fault("", "text.unsafe", message),))


async def _read(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (
        len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES
    ):
        raise BodyIsTooLarge
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BodyIsTooLarge
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _check_body(scope: Scope, headers: Mapping[bytes, bytes], body: bytes) -> None:
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise MediaTypeIsUnknown("The body is compressed. Send it as it is.")
    kind = _media_type(headers.get(b"content-type", b"").decode("latin-1"), scope)
    check = _json if kind in (_JSON, _PATCH) else _lines
    if len(body) > _IN_A_THREAD_BYTES:  # seconds of checking must not stop the loop
        scope[PARSED] = await to_thread.run_sync(check, body)
    else:
        scope[PARSED] = check(body)


def _json(body: bytes) -> JsonValue:
    return parse(body)


def _lines(body: bytes) -> None:
    check_text(body)
    check_shape(body)


def media_type(text: str) -> str:
    """The type that a Content-Type header declares, without its parameters."""
    return _header(text).get_content_type()


def _media_type(text: str, scope: Scope) -> str:
    header = _header(text)
    kind = header.get_content_type() if text else "nothing"
    readable: tuple[str, ...] = _OF_ROWS if _ROWS.match(scope["path"]) else (_JSON,)
    if _BATCHES.match(scope["path"]):
        readable = (_LINES,)
    if scope["method"] == HTTPMethod.PATCH:
        readable = (_JSON, _PATCH)
    if kind not in readable:
        raise MediaTypeIsUnknown(f"The body is declared as {kind}. Send {' or '.join(readable)}.")
    charset = header.get_content_charset("utf-8")
    if charset not in ("utf-8", "utf8"):
        raise MediaTypeIsUnknown(f"The body is declared as {charset}. Send UTF-8.")
    return kind


def _header(text: str) -> Header:
    header = Header()
    header["content-type"] = text
    return header


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand out the body that was read, and after it what still comes (a disconnect)."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
