"""HTTP tools: a bounded request to an allowed host, at an address that was checked."""

import codecs
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import quote, urlencode, urljoin, urlsplit

from pydantic import JsonValue

from application.lm_ports import JsonObject
from domain.tool.allowance import Allowance
from domain.tool.rules import place_of
from domain.tool.values import HttpTool
from infrastructure.tools.exchange import Answered, Asked, exchange, failed

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)
"""What only Python calls so: some raise whatever the errors, one takes minutes for a megabyte."""

_TELLING: Final = 8
"""So many characters of a secret are blotted out where a server repeats them."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A header that is sent to one host; ``value`` is in no log."""

    header: str
    value: str = field(repr=False)


class HttpCaller:
    """Makes the requests of tools as far as *allowance* lets them, with *secrets* by their name."""

    def __init__(self, allowance: Allowance, secrets: Mapping[str, Secret]) -> None:
        self._allowance, self._secrets = allowance, secrets

    def call(self, tool: HttpTool, arguments: JsonObject, key: str | None = None) -> JsonValue:
        """The JSON or the text that the address answers; *key* makes it safe to ask twice.

        Raises:
            ToolFailed: It may not be asked, cannot be reached, took too long, answered too much,
                or answered with an error.
        """
        asked = _request(tool, arguments)
        until = time.monotonic() + tool.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            answered = self._ask(tool, asked, until, key)
            if answered.status not in _REDIRECTS:
                return _content(answered)
            if tool.method != "GET":
                raise failed("tool.redirected", "The server sends the request elsewhere.")
            target = urljoin(asked.url, answered.headers.get("Location", ""))
            asked = Asked("GET", target, None)
        raise failed("tool.redirected", f"The server redirects more than {MAX_REDIRECTS} times.")

    def _ask(self, tool: HttpTool, asked: Asked, until: float, key: str | None) -> Answered:
        reach = self._allowance.reach_of(asked.url)
        if reach is None:
            raise failed("tool.not_allowed", "The server leads to a host that is not allowed.")
        secret = None
        headers = dict[str, str]() if key is None else {"Idempotency-Key": key}
        if asked.body is not None:
            headers["Content-Type"] = "application/json"
        if tool.secret is not None and self._allowance.is_secret_for(tool.secret, asked.url):
            secret = self._secrets[tool.secret]
            headers[secret.header] = secret.value
        answered = exchange(asked, headers, reach, timeout_s=tool.timeout_s, until=until)
        return answered if secret is None else _without(answered, secret)


def _without(answered: Answered, secret: Secret) -> Answered:
    """*answered* without *secret*, which servers repeat in errors: the model is told all of it."""
    body, reason = answered.body, answered.reason
    for part in (secret.value, *secret.value.split()):  # the whole first
        if len(part) >= _TELLING:
            body = body.replace(part.encode(), b"[redacted]")
            reason = reason.replace(part, "[redacted]")
    return replace(answered, body=body, reason=reason)


def _content(answered: Answered) -> JsonValue:
    if answered.status >= HTTPStatus.BAD_REQUEST:
        reason = re.sub(r"[^ -~]", "", answered.reason)[:100]
        message = f"The server answered {answered.status} {reason}".rstrip() + "."
        raise failed("tool.refused", message)
    text = answered.body.decode(_charset(answered), errors="replace")
    kind = answered.headers.get_content_type()
    if kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        return cast("JsonValue", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise failed("tool.result_invalid", "What the server calls JSON is none.") from error


def _charset(answered: Answered) -> str:
    named = answered.headers.get_content_charset("utf-8")
    try:
        known = codecs.lookup(named).name.replace("_", "-")
        "".encode(named)  # what is no encoding of texts is refused here
    except (LookupError, UnicodeError):
        return "utf-8"
    return "utf-8" if known in _NO_CHARSETS else named


def _request(tool: HttpTool, arguments: JsonObject) -> Asked:
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
    return Asked(tool.method, url, sent)


def _in_path(name: str, value: JsonValue) -> str:
    written = "" if value is None else _written(value)
    if written in ("", ".", ".."):
        message = f"{name} stands in the address: it cannot be empty, one dot or two."
        raise failed("tool.arguments_invalid", message)
    return quote(written, safe="")


def _written(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
