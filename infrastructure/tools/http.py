"""HTTP tools: a bounded request to an allowed host, at an address that was checked."""

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import quote, urlencode, urljoin, urlsplit

from pydantic import JsonValue

from application.lm_ports import JsonObject
from application.tool_ports import ToolFailed
from domain.tool.allowance import Allowance
from domain.tool.rules import place_of
from domain.tool.values import HttpTool
from domain.values import Failure
from infrastructure.tools.addresses import address_of

MAX_RESPONSE_BYTES: Final = 1_000_000
MAX_REDIRECTS: Final = 3
_CHUNK: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TLS: Final = ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Secret:
    """A header that is sent to one host; ``value`` is in no log."""

    header: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    url: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class _Answered:
    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes


class HttpCaller:
    """Makes the requests of tools as far as *allowance* lets them, with *secrets* by their name."""

    def __init__(self, allowance: Allowance, secrets: Mapping[str, Secret]) -> None:
        self._allowance, self._secrets = allowance, secrets

    def call(self, tool: HttpTool, arguments: JsonObject) -> JsonValue:
        """The JSON or the text that the address answers.

        Raises:
            ToolFailed: It may not be asked, cannot be reached, took too long, answered too much,
                or answered with an error.
        """
        asked = _request(tool, arguments)
        until = time.monotonic() + tool.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            answered = self._ask(tool, asked, until)
            if answered.status not in _REDIRECTS:
                return _content(answered)
            target = urljoin(asked.url, answered.headers.get("Location", ""))
            if tool.method != "GET":
                raise _failed("tool.redirected", "The server sends the request elsewhere.")
            asked = _Asked("GET", target, None)
        raise _failed("tool.redirected", f"The server redirects more than {MAX_REDIRECTS} times.")

    def _ask(self, tool: HttpTool, asked: _Asked, until: float) -> _Answered:
        headers = {"Accept-Encoding": "identity", "User-Agent": "stratal"}
        if asked.body is not None:
            headers["Content-Type"] = "application/json"
        if tool.secret is not None and self._allowance.is_secret_for(tool.secret, asked.url):
            secret = self._secrets[tool.secret]
            headers[secret.header] = secret.value
        try:
            with self._connected(asked.url, until) as connection:
                parts = urlsplit(asked.url)
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request(asked.method, target, asked.body, headers)
                with connection.getresponse() as response:
                    body = _read(response)
                if time.monotonic() >= until:
                    raise TimeoutError
                return _Answered(response.status, response.reason, response.headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= until:
                message = f"No whole answer came within {tool.timeout_s:g} s."
                raise _failed("tool.timeout", message) from error
            message = f"The server cannot be asked ({type(error).__name__})."
            raise _failed("tool.unreachable", message) from error

    @contextlib.contextmanager
    def _connected(
        self, url: str, until: float
    ) -> Generator[http.client.HTTPConnection, None, None]:
        """A connection to the checked address of *url*, which is cut off when the time is over."""
        reach = self._allowance.reach_of(url)
        if reach is None:
            raise _failed("tool.not_allowed", "The server leads to a host that is not allowed.")
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = address_of(host, port, reach)
        left_s = max(until - time.monotonic(), 0.001)
        raw = socket.create_connection((address, port), timeout=left_s)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = raw
        used = [raw]
        watchdog = threading.Timer(max(until - time.monotonic(), 0), lambda: _cut(used[-1]))
        watchdog.daemon = True
        watchdog.start()
        try:
            if secure:
                connection.default_port = 443  # how it is named
                secured = _TLS.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
                used.append(secured)
                connection.sock = secured
                secured.do_handshake()
            yield connection
        finally:
            watchdog.cancel()
            connection.close()
            raw.close()


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


def _read(response: http.client.HTTPResponse) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _failed("tool.result_invalid", "The server compresses what it was asked not to.")
    body = bytearray()
    while part := response.read(_CHUNK):
        body += part
        if len(body) > MAX_RESPONSE_BYTES:
            message = f"The answer is longer than {MAX_RESPONSE_BYTES} bytes. Ask for less."
            raise _failed("tool.result_too_large", message)
    if response.length:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)


def _content(answered: _Answered) -> JsonValue:
    if answered.status >= http.HTTPStatus.BAD_REQUEST:
        reason = re.sub(r"[^ -~]", "", answered.reason)[:100]
        message = f"The server answered {answered.status} {reason}".rstrip() + "."
        raise _failed("tool.refused", message)
    text = answered.body.decode(_charset(answered), errors="replace")
    kind = answered.headers.get_content_type()
    if kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        return cast("JsonValue", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _failed("tool.result_invalid", "What the server calls JSON is none.") from error


def _charset(answered: _Answered) -> str:
    named = answered.headers.get_content_charset("utf-8")
    try:
        "".encode(named)
    except LookupError:
        return "utf-8"
    return named


def _request(tool: HttpTool, arguments: JsonObject) -> _Asked:
    """What is asked; an argument that is null goes into neither query nor body."""
    url, query, body = tool.url, list[tuple[str, str]](), dict[str, JsonValue]()
    for name, value in arguments.items():
        match place_of(tool, name):
            case "path":
                url = url.replace(f"{{{name}}}", _in_path(name, value))
            case "query" if isinstance(value, list):
                query += [(name, _written(each)) for each in value]
            case "query" if value is not None:
                query.append((name, _written(value)))
            case "body" if value is not None:
                body[name] = value
            case _:
                pass
    if query:
        url += ("&" if urlsplit(url).query else "?") + urlencode(query)
    sent = json.dumps(body).encode() if tool.method in ("POST", "PUT", "PATCH") else None
    return _Asked(tool.method, url, sent)


def _in_path(name: str, value: JsonValue) -> str:
    written = "" if value is None else _written(value)
    if written in ("", ".", ".."):
        message = f"{name} stands in the address: it cannot be empty, one dot or two."
        raise _failed("tool.arguments_invalid", message)
    return quote(written, safe="")


def _written(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _failed(code: str, message: str) -> ToolFailed:
    return ToolFailed(Failure(code=code, message=message))
