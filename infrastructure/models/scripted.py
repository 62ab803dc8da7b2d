"""A model that answers by rules out of a JSON file: the same call always has the same answer.

The file is ``{"rules": [...], "default": {...}, "log": "calls.jsonl"}``. A rule has ``match``
(``{"contains": text}``, ``{"regex": pattern}`` or ``{"equals": text}``, looked for in the last
message, or in the whole prompt with ``"in": "prompt"``), and says what happens: ``reply`` (a value
for each output field), ``text`` (the raw answer) or ``error``; besides ``latency_ms``, ``tokens``
(in and out) and ``times`` (how often it applies). The first rule that matches wins. Fields that no
rule names get a value of their type that depends on the request alone.
"""

import hashlib
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Annotated, Literal

from dspy import lm15
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from infrastructure.models.answers import answer_text
from infrastructure.models.binding import ModelSettingIsInvalid
from infrastructure.models.described import described

_ERRORS: dict[str, type[lm15.LM15Error]] = {
    "rate_limit": lm15.RateLimitError,
    "server": lm15.ServerError,
    "timeout": lm15.TimeoutError,
    "transport": lm15.TransportError,
    "auth": lm15.AuthError,
    "billing": lm15.BillingError,
    "invalid_request": lm15.InvalidRequestError,
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Strict):
    """All that is given must hold; nothing given holds always."""

    contains: str | None = None
    regex: str | None = None
    equals: str | None = None
    in_: Annotated[Literal["last", "prompt"], Field(alias="in")] = "last"

    def holds(self, last: str, prompt: str) -> bool:
        """Whether the rule is about this request."""
        text = last if self.in_ == "last" else prompt
        return (
            (self.contains is None or self.contains in text)
            and (self.equals is None or self.equals == text.strip())
            and (self.regex is None or re.search(self.regex, text) is not None)
        )


class Error(_Strict):
    kind: Literal[
        "rate_limit", "server", "timeout", "transport", "auth", "billing", "invalid_request"
    ]
    message: str = "The script says so."
    retry_after_s: float | None = None

    def raised(self) -> lm15.LM15Error:
        """The error as a provider's engine raises it."""
        return _ERRORS[self.kind](self.message, provider="scripted", retry_after=self.retry_after_s)


class Rule(_Strict):
    match: Match = Match()
    reply: dict[str, JsonValue] = {}
    text: str | None = None
    error: Error | None = None
    latency_ms: Annotated[float, Field(ge=0)] | None = None
    tokens: tuple[int, int] | None = None
    times: Annotated[int, Field(ge=1)] | None = None


class Script(_Strict):
    """``log`` gets one line for each call that reaches the model, before it is answered."""

    rules: tuple[Rule, ...] = ()
    default: Rule = Rule()
    latency_ms: Annotated[float, Field(ge=0)] = 0
    log: str | None = None


class ScriptedEngine:
    """Answers by *script*; safe to use from several threads."""

    supports_response_schema = True
    seeded = True
    supported_params = frozenset({"temperature", "max_tokens", "response_format", "seed"})

    def __init__(self, script: Script, *, folder: Path = Path()) -> None:
        self._script = script
        self._log = None if script.log is None else folder / script.log
        self._lock = threading.Lock()
        self._used = [0] * len(script.rules)
        self.calls = 0

    @classmethod
    def from_file(cls, path: Path) -> "ScriptedEngine":
        """Read the script at *path*; a relative log lies beside it.

        Raises:
            ModelSettingIsInvalid: There is no such file, or it is not a script.
        """
        try:
            script = Script.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ModelSettingIsInvalid(f"There is no script at {path}.") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "/".join(str(step) for step in first["loc"])
            raise ModelSettingIsInvalid(
                f"The script {path} cannot be used: {where}: {first['msg']}."
            ) from error
        return cls(script, folder=path.parent)

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer *request*, or raise the error that its rule names."""
        last, prompt = _said(request.messages[-1]), _prompt(request)
        index, rule = self._rule(last, prompt)
        self._note(index, request)
        latency_ms = self._script.latency_ms if rule.latency_ms is None else rule.latency_ms
        if latency_ms:
            time.sleep(latency_ms / 1000)
        if rule.error is not None:
            raise rule.error.raised()
        text = rule.text
        if text is None:
            seed = _digest(request)
            reply = {**described(_system(request), seed=int(seed[:8], 16)), **rule.reply}
            text = answer_text(last, reply, seed=seed)
        return _response(request, prompt, text, rule.tokens)

    def close(self) -> None:
        """Nothing is held open."""

    def _rule(self, last: str, prompt: str) -> tuple[int, Rule]:
        with self._lock:
            self.calls += 1
            for index, rule in enumerate(self._script.rules):
                spent = rule.times is not None and self._used[index] >= rule.times
                if not spent and rule.match.holds(last, prompt):
                    self._used[index] += 1
                    return index, rule
        return -1, self._script.default

    def _note(self, rule: int, request: lm15.Request) -> None:
        if self._log is None:
            return
        note = {"pid": os.getpid(), "rule": rule, "request": _digest(request)}
        line = json.dumps(note) + "\n"
        with self._lock, self._log.open("a") as log:
            log.write(line)  # one short append: several processes may share the file


def _response(
    request: lm15.Request, prompt: str, text: str, tokens: tuple[int, int] | None
) -> lm15.Response:
    taken, given = tokens or (len(prompt) // 4 + 1, len(text) // 4 + 1)
    return lm15.Response(
        id=f"scripted-{_digest(request)[:12]}",
        model=request.model,
        message=lm15.Message.assistant(text),
        finish_reason="stop",
        usage=lm15.Usage(input_tokens=taken, output_tokens=given),
    )


def _prompt(request: lm15.Request) -> str:
    return "\n".join([_system(request), *map(_said, request.messages)])


def _system(request: lm15.Request) -> str:
    system = request.system
    if system is not None and not isinstance(system, str):
        system = "".join(part.text for part in system)
    return system or ""


def _said(message: lm15.Message) -> str:
    """The text of *message*; pictures, sounds and files are passed over."""
    return "\n".join(part.text for part in message.parts if part.type == "text")


def _digest(request: lm15.Request) -> str:
    """A name for *request* that is the same in every process."""
    return hashlib.sha256(repr(request).encode()).hexdigest()
