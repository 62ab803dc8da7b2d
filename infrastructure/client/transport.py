"""Requests over connections that are kept, one a thread; on the standard library alone."""

import json
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import local
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

from infrastructure.client.errors import StratalProblem, StratalUnreachable

TRIES: Final = 4
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0


class Transport:
    """Sends requests to the server at *url*, each until it is answered or the tries are used up."""

    def __init__(self, url: str, headers: Mapping[str, str], *, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"{url!r} is no http:// or https:// address.")
        self.url, self._prefix = url, parts.path.rstrip("/")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._address = (parts.hostname, parts.port)
        self._headers, self._timeout_s = dict(headers), timeout_s
        self._kept = local()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object],
        body: bytes | None = None,
        headers: Mapping[str, str],
    ) -> tuple[Mapping[str, str], Any]:
        """The headers and the JSON of the reply.

        It tries again when the connection fails or the service is not available: whoever sends a
        write gives it an Idempotency-Key.

        Raises:
            StratalProblem: The API refused.
            StratalUnreachable: Nobody answered, however often it was asked.
        """
        target = self._target(path, query)
        left, pause_s = TRIES, _FIRST_PAUSE_S
        while True:
            left -= 1
            try:
                status, told, raw = self._once(method, target, body, {**self._headers, **headers})
            except (OSError, HTTPException) as error:
                self._close()
                if not left:
                    raise StratalUnreachable(self.url, str(error) or type(error).__name__) from None
            else:
                if status != HTTPStatus.SERVICE_UNAVAILABLE or not left:
                    return told, _content(status, raw)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    @contextmanager
    def opened(
        self, path: str, *, query: Mapping[str, object], headers: Mapping[str, str]
    ) -> Generator[HTTPResponse, None, None]:
        """A reply that is read as it comes, over a connection of its own.

        Raises:
            StratalProblem: The API refused.
            OSError, HTTPException: Nobody answered; also while it is read.
        """
        host, port = self._address
        connection = self._kind(host, port, timeout=self._timeout_s)
        try:
            target = self._target(path, query)
            connection.request("GET", target, headers={**self._headers, **headers})
            reply = connection.getresponse()
            if reply.status >= HTTPStatus.BAD_REQUEST:
                _content(reply.status, reply.read())
            yield reply
        finally:
            connection.close()

    def close(self) -> None:
        """Close the calling thread's connection; the next request opens another."""
        self._close()

    def _once(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection()
        connection.request(method, target, body, dict(headers))
        reply: HTTPResponse = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()

    def _target(self, path: str, query: Mapping[str, object]) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        asked = urlencode([(name, _text(each)) for name in given for each in _all(given[name])])
        return self._prefix + quote(path, safe="/%~") + (f"?{asked}" if asked else "")

    def _connection(self) -> HTTPConnection:
        kept: HTTPConnection | None = getattr(self._kept, "connection", None)
        if kept is None:
            host, port = self._address
            kept = self._kept.connection = self._kind(host, port, timeout=self._timeout_s)
        return kept

    def _close(self) -> None:
        kept: HTTPConnection | None = getattr(self._kept, "connection", None)
        if kept is not None:
            kept.close()
            self._kept.connection = None


def _content(status: int, raw: bytes) -> Any:
    try:
        content: Any = json.loads(raw)
    except ValueError:  # a proxy between us and the API answers in words of its own
        content = {}
    if status >= HTTPStatus.BAD_REQUEST:
        raise StratalProblem.told(status, content)
    return content


def _all(value: object) -> Iterable[object]:
    """Each of several values of one name."""
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
