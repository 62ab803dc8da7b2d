"""A model with OpenAI's chat interface, asked over HTTP with the standard library alone."""

import json
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from select import POLLIN, poll
from socket import socket
from typing import Annotated, Any, ClassVar, Final, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from application.circuits import Circuit
from application.lm_ports import ModelChoice
from domain.text import mended
from domain.values import Failure, LmUsage
from infrastructure.circuits import CIRCUITS

_PROVIDER: Final = "openai"
_BASE: Final = "https://api.openai.com/v1"
_TIMEOUT_S: Final = 120.0
_SHOWN: Final = 300
_MAX_BYTES: Final = 16 * 1024 * 1024
_PART_BYTES: Final = 64 * 1024
_MOST_TOKENS: Final = 1_000_000_000

_REFUSALS: Final[Mapping[int, str]] = {
    401: "model.auth_refused",
    402: "model.billing_refused",
    403: "model.auth_refused",
    404: "model.unknown",
    408: "model.timeout",
    429: "model.rate_limited",
}
_OUTAGES: Final = frozenset({"model.timeout", "model.unavailable", "model.unreachable"})
_LATER: Final = _OUTAGES | {"model.rate_limited"}
_ABOUT_THE_REQUEST: Final = "model.request_refused"
_UNAVAILABLE: Final = "model.unavailable"


class NativeModelIsInvalid(Exception):
    """This engine cannot ask the model that was chosen; the message says which it can."""

    code: ClassVar[str] = "model.setting_invalid"


class ModelRefused(Exception):
    """The model did not answer. ``is_final``: it never will answer this very request.

    ``is_outage``: it is not there, or does not work.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.is_final = failure.code == _ABOUT_THE_REQUEST
        self.is_outage = failure.code in _OUTAGES


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in the form that journals keep, and what is booked of it."""

    body: JsonValue
    model: str
    usage: LmUsage
    finish_reason: str


class ChatModel:
    """The model of *choice*, for several threads; connections are kept and taken by turns."""

    def __init__(self, choice: ModelChoice) -> None:
        """Take the model up; nothing is asked yet.

        Raises:
            NativeModelIsInvalid: It has another interface, or no key was given.
        """
        provider, _, model = choice.name.partition("/")
        if provider != _PROVIDER or not model:
            raise NativeModelIsInvalid(
                f"STRATAL_LM={choice.name} cannot be asked by the engine native. Use openai/NAME, "
                "with STRATAL_LM_API_BASE for another server of that interface."
            )
        if choice.api_key is None:
            raise NativeModelIsInvalid("The engine native needs the key: set STRATAL_LM_API_KEY.")
        parts = urlsplit(choice.api_base or _BASE)
        self.name, self._model, self._key = choice.name, model, choice.api_key
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname or "", parts.port
        self._path = f"{parts.path.rstrip('/')}/chat/completions"
        self._idle: deque[HTTPConnection] = deque()
        self.circuit = Circuit()
        CIRCUITS.watch(self.circuit, self.name)

    def ask(self, request: Mapping[str, Any], *, ends_s: float | None) -> Answer:
        """What the model answers to *request*, which is given up at *ends_s*.

        Raises:
            ModelRefused: It does not answer.
        """
        body = json.dumps(_body(self._model, request)).encode()
        longest_s = time.monotonic() + _TIMEOUT_S
        try:
            status, raw = self._sent(body, longest_s if ends_s is None else min(ends_s, longest_s))
        except TimeoutError as error:
            raise _refusal("model.timeout", "no answer came in time") from error
        except (OSError, HTTPException) as error:
            raise _refusal("model.unreachable", type(error).__name__) from error
        return self._read(status, raw)

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def _sent(self, body: bytes, ends_s: float) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        connection = self._connection(_left_s(ends_s))
        try:
            connection.request("POST", self._path, body, headers)
            sent_by = connection.sock
            with connection.getresponse() as response:
                told = response.status, _all_of(response, sent_by, ends_s)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return told

    def _connection(self, timeout_s: float) -> HTTPConnection:
        connection = self._kept() or self._kind(self._host, self._port)
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        return connection

    def _kept(self) -> HTTPConnection | None:
        """The connection that was used last, of those that the server has not closed since."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if connection.sock is None or not _says_something(connection.sock):
                    return connection
                connection.close()
        return None

    def _read(self, status: int, raw: bytes) -> Answer:
        try:
            told = cast("JsonValue", json.loads(raw))
        except ValueError:
            told = None
        if status != HTTPStatus.OK:
            raise self._refused(status, told)
        try:
            return _answer(_Completion.model_validate(mended(told)))
        except ValidationError as error:
            raise _refusal("model.failed", "the answer is not of OpenAI's form") from error

    def _refused(self, status: int, told: JsonValue) -> ModelRefused:
        error = told.get("error") if isinstance(told, dict) else None
        said = error.get("message") if isinstance(error, dict) else error
        usual = _ABOUT_THE_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else _UNAVAILABLE
        words = str(said or f"status {status}").replace(self._key, "••••")
        return _refusal(_REFUSALS.get(status, usual), words, status=status)


def _left_s(ends_s: float) -> float:
    return max(0.001, ends_s - time.monotonic())


def _all_of(response: HTTPResponse, sent_by: socket, ends_s: float) -> bytes:
    """What *response* holds, as far as anybody reads; a server that drips it is given up, too.

    Raises:
        TimeoutError: It has not come by *ends_s*.
    """
    told = bytearray()
    while len(told) < _MAX_BYTES and (part := response.read1(_PART_BYTES)):
        if time.monotonic() >= ends_s:
            raise TimeoutError
        told += part
        sent_by.settimeout(_left_s(ends_s))
    return bytes(told)


def _says_something(idle: socket) -> bool:
    """Whether there is something to read unasked: the end, or what belongs to an earlier answer."""
    looked = poll()
    looked.register(idle, POLLIN)
    return bool(looked.poll(0))


class _Told(BaseModel):
    """A part of an answer, of which more may be said than is of use here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Message(_Told):
    content: str | None = None


class _Choice(_Told):
    message: _Message
    finish_reason: str | None = None


def _credible(tokens: int | None) -> int | None:
    return None if tokens is None or tokens > _MOST_TOKENS else tokens


_Count = Annotated[int | None, AfterValidator(_credible)]
"""What cannot be so counts as not said: it would be more than a database can hold."""


class _Details(_Told):
    cached_tokens: _Count = None
    reasoning_tokens: _Count = None


class _Usage(_Told):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Completion(_Told):
    id: str | None = None
    model: str
    choices: Annotated[tuple[_Choice, ...], Field(min_length=1, max_length=1)]
    usage: _Usage | None = None


def _body(model: str, request: Mapping[str, Any]) -> dict[str, Any]:
    config = request["config"]
    messages = [{"role": "system", "content": request["system"]}]
    for each in request["messages"]:
        text = "".join(part["text"] for part in each["parts"])
        messages.append({"role": each["role"], "content": text})
    return {
        "model": model,
        "messages": messages,
        "max_completion_tokens": config["max_tokens"],
        "temperature": config["temperature"],
    }


def _answer(told: _Completion) -> Answer:
    [choice], usage = told.choices, told.usage or _Usage()
    asked, given = usage.prompt_tokens_details, usage.completion_tokens_details
    booked = LmUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=asked and asked.cached_tokens,
        reasoning_tokens=given and given.reasoning_tokens,
        total_tokens=usage.total_tokens,
    )
    counted = {
        "input_tokens": booked.prompt_tokens,
        "output_tokens": booked.completion_tokens,
        "total_tokens": booked.total_tokens,
        "cache_read_tokens": booked.cached_tokens,
        "reasoning_tokens": booked.reasoning_tokens,
    }
    text, finish = choice.message.content or "", choice.finish_reason or "stop"
    body: JsonValue = {
        "id": told.id,
        "model": told.model,
        "message": {"role": "assistant", "parts": [{"type": "text", "text": text}]},
        "finish_reason": finish,
        "usage": {name: count for name, count in counted.items() if count is not None},
    }
    return Answer(body, told.model, booked, finish)


def _refusal(code: str, said: str, *, status: int | None = None) -> ModelRefused:
    return ModelRefused(
        Failure(
            code=code,
            message=f"The model call failed: {said.split(chr(10), 1)[0][:_SHOWN]}",
            retryable=code in _LATER,
            provider_status=status,
        )
    )
