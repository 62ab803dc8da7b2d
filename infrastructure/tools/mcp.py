"""Tools of MCP servers: of a process that is talked to by lines, or of an address.

Only what a tool call needs is spoken of the protocol: the greeting, and ``tools/call``.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final, Protocol, cast

from pydantic import JsonValue

from application.lm_ports import JsonObject
from domain.tool.allowance import Reach
from domain.tool.values import McpTool
from infrastructure.tools.exchange import MAX_RESPONSE_BYTES, Answered, Asked, exchange, failed

PROTOCOL: Final = "2025-06-18"
TIMEOUT_S: Final = 60.0
_GREETING: Final[JsonObject] = {
    "protocolVersion": PROTOCOL,
    "capabilities": {},
    "clientInfo": {"name": "stratal", "version": "1"},
}
_INHERITED: Final = ("PATH", "HOME", "LANG", "TMPDIR")
_MOST_CHARACTERS: Final = 300


class McpServer(Protocol):
    def call(self, tool: McpTool, arguments: JsonObject) -> JsonValue:
        """What *tool* gives.

        Raises:
            ToolFailed: The server cannot be asked, is too slow, or the tool failed.
        """
        ...


class ProcessServer:
    """A server that is a process of ours, started at the first call; calls wait for each other."""

    def __init__(
        self,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._command, self._timeout_s = command, timeout_s
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environment = {**inherited, **environment}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sent = 0

    def call(self, tool: McpTool, arguments: JsonObject) -> JsonValue:
        """What *tool* gives; a server that is gone or silent is started anew by the next call.

        Raises:
            ToolFailed: The server cannot be started, is too slow, or the tool failed.
        """
        until = time.monotonic() + self._timeout_s
        with self._lock:
            try:
                with self._ending_at(until):
                    if self._process is None or self._process.poll() is not None:
                        self._start(until)
                    named: JsonObject = {"name": tool.tool, "arguments": dict(arguments)}
                    return _given(self._ask("tools/call", named, until))
            except (OSError, EOFError, ValueError, RecursionError) as error:
                self._stop()
                if time.monotonic() >= until:
                    within = f"within {self._timeout_s:g} s"
                    message = f"The server {tool.server} did not answer {within}."
                    raise failed("tool.timeout", message) from error
                message = f"The server {tool.server} cannot be asked ({type(error).__name__})."
                raise failed("tool.unreachable", message) from error

    def close(self) -> None:
        """End the process; a later call starts another."""
        with self._lock:
            self._stop()

    def _start(self, until: float) -> None:
        self._stop()
        self._process = subprocess.Popen(  # noqa: S603 whoever runs us chose it
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        self._ask("initialize", _GREETING, until)
        self._tell({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):  # what was not sent cannot be any more
                    assert pipe is not None
                    pipe.close()

    @contextlib.contextmanager
    def _ending_at(self, until: float) -> Generator[None, None, None]:
        """End the process when the time is over: then nothing waits for it to read or to write."""

        def end() -> None:
            if (process := self._process) is not None:
                _kill(process)

        watchdog = threading.Timer(max(until - time.monotonic(), 0), end)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _ask(self, method: str, params: JsonObject, until: float) -> JsonObject:
        if time.monotonic() >= until:  # the watchdog may have looked before there was a process
            raise TimeoutError
        self._sent += 1
        request: JsonObject = {"jsonrpc": "2.0", "id": self._sent, "method": method}
        self._tell({**request, "params": dict(params)})
        while True:
            message = _object(json.loads(self._line()))
            if message.get("id") == self._sent and "method" not in message:
                return message
            if "id" in message and "method" in message:  # it asks us, and we offer nothing
                error: JsonValue = {"code": -32601, "message": "Not offered."}
                self._tell({"jsonrpc": "2.0", "id": message["id"], "error": error})

    def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline(MAX_RESPONSE_BYTES)):
            raise EOFError
        return line

    def _tell(self, message: JsonObject) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


class AddressServer:
    """A server at an address of somebody whom whoever runs the service vouched for."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._url, self._headers, self._timeout_s = url, headers, timeout_s

    def call(self, tool: McpTool, arguments: JsonObject) -> JsonValue:
        """What *tool* gives, in a session of its own.

        Raises:
            ToolFailed: The server cannot be asked, is too slow, or the tool failed.
        """
        until = time.monotonic() + self._timeout_s
        greeted = self._post("initialize", _GREETING, until, {}, number=1)
        _answer_in(greeted, 1)
        session = {"MCP-Protocol-Version": PROTOCOL}
        if (named_session := greeted.headers.get("Mcp-Session-Id")) is not None:
            session["Mcp-Session-Id"] = named_session
        self._post("notifications/initialized", {}, until, session)
        named: JsonObject = {"name": tool.tool, "arguments": dict(arguments)}
        return _given(_answer_in(self._post("tools/call", named, until, session, number=2), 2))

    def _post(
        self,
        method: str,
        params: JsonObject,
        until: float,
        session: Mapping[str, str],
        *,
        number: int | None = None,
    ) -> Answered:
        message: dict[str, JsonValue] = {"jsonrpc": "2.0", "method": method, "params": dict(params)}
        if number is not None:
            message["id"] = number
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **session,
            **self._headers,
        }
        asked = Asked("POST", self._url, json.dumps(message).encode())
        return exchange(asked, headers, Reach.ANYWHERE, timeout_s=self._timeout_s, until=until)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End *process* and what it started, which has its pipes, too."""
    with contextlib.suppress(ProcessLookupError):  # nothing of it is left
        os.killpg(process.pid, signal.SIGKILL)


def _answer_in(answered: Answered, number: int) -> JsonObject:
    """The answer to request *number*, which may come as one of several events."""
    if answered.status != 200:
        raise failed("tool.refused", f"The server answered {answered.status}.")
    text = answered.body.decode(errors="replace")
    is_stream = answered.headers.get_content_type() == "text/event-stream"
    for each in _events(text) if is_stream else [text]:
        try:
            message = _object(json.loads(each))
        except ValueError:
            continue
        if message.get("id") == number:
            return message
    raise failed("tool.result_invalid", "The server gave no answer to the call.")


def _events(text: str) -> Iterator[str]:
    for event in text.replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in event.split("\n") if line[:5] == "data:"]
        if data:
            yield "\n".join(data)


def _object(content: Any) -> JsonObject:
    if not isinstance(content, dict):
        raise ValueError  # noqa: TRY004 what a server says is a value, not a type of ours
    return cast("JsonObject", content)


def _given(message: JsonObject) -> JsonValue:
    """What a tool gave: its structured content, else its text, or texts."""
    result = message.get("result")
    if not isinstance(result, dict):
        error = message.get("error")
        said = error.get("message") if isinstance(error, dict) else None
        raise failed("tool.refused", f"The server refused: {_short(said)}")
    parts = result.get("content")
    texts = [_text(part) for part in parts] if isinstance(parts, list) else []
    if result.get("isError") is True:
        raise failed("tool.failed", f"The tool failed: {_short(' '.join(texts))}")
    if "structuredContent" in result:
        return result["structuredContent"]
    return texts[0] if len(texts) == 1 else list[JsonValue](texts)


def _text(part: JsonValue) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    kind = part.get("type") if isinstance(part, dict) else None
    return f"({kind if isinstance(kind, str) else 'something'} that is no text)"


def _short(said: JsonValue) -> str:
    line = said.strip().split("\n", 1)[0] if isinstance(said, str) else ""
    return line[:_MOST_CHARACTERS] or "it did not say why."
