"""One request over HTTP: at an address that was checked, with a bound on time and on size."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from application.tool_ports import ToolFailed
from domain.tool.allowance import Reach
from domain.values import Failure
from infrastructure.tools.addresses import address_of

MAX_RESPONSE_BYTES: Final = 1_000_000
_CHUNK: Final = 64 * 1024
_TLS: Final = ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    url: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes


def exchange(
    asked: Asked, headers: Mapping[str, str], reach: Reach, *, timeout_s: float, until: float
) -> Answered:
    """Ask, and read the whole answer, whatever its status; redirects are not followed.

    Args:
        asked: What is asked.
        headers: Sent beside those that say who asks, and that nothing is to be compressed.
        reach: To which addresses the request may go.
        timeout_s: What the caller was given, to be told when it is over.
        until: When it is over, on the clock of ``time.monotonic``.

    Raises:
        ToolFailed: The address is not allowed, cannot be reached, took too long, or answered too
            much.
    """
    every = {"Accept-Encoding": "identity", "User-Agent": "stratal", **headers}
    try:
        with _connected(asked.url, reach, until) as connection:
            parts = urlsplit(asked.url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(asked.method, target, asked.body, every)
            with connection.getresponse() as response:
                body = _read(response)
            if time.monotonic() >= until:
                raise TimeoutError
            return Answered(response.status, response.reason, response.headers, body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= until:
            message = f"No whole answer came within {timeout_s:g} s."
            raise failed("tool.timeout", message) from error
        message = f"The server cannot be asked ({type(error).__name__})."
        raise failed("tool.unreachable", message) from error


def failed(code: str, message: str) -> ToolFailed:
    return ToolFailed(Failure(code=code, message=message))


@contextlib.contextmanager
def _connected(
    url: str, reach: Reach, until: float
) -> Generator[http.client.HTTPConnection, None, None]:
    """A connection to the checked address of *url*, which is cut off when the time is over."""
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
        raise failed("tool.result_invalid", "The server compresses what it was asked not to.")
    body = bytearray()
    while part := response.read(_CHUNK):
        body += part
        if len(body) > MAX_RESPONSE_BYTES:
            message = f"The answer is longer than {MAX_RESPONSE_BYTES} bytes. Ask for less."
            raise failed("tool.result_too_large", message)
    if response.length:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)
