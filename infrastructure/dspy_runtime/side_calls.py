"""What a program does beside asking its model: done once, recorded, and answered from the journal.

A call is known by what is called with which arguments, and by the how many times that was within
one call of the program on one set of inputs. So an agent that asks twice is told twice, threads
may come in any order, and an optimizer that tries a row again does not send the mail again.
"""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

import dspy
from pydantic import BaseModel, JsonValue

from application.lm_ports import JsonObject, Missed, RunnableProgram, RunStopped
from application.payloads import Payload, canonical_json
from application.scrubbing import scrubbed
from application.tool_ports import Toolbox, ToolFailed
from application.tracing import Tracing
from domain.text import mended
from domain.values import Digest, Failure, ToolCall
from infrastructure.dspy_runtime.journaling import Recorder
from infrastructure.dspy_runtime.stable import stable_failure

KEY_VERSION: Final = 1
MAX_RESULT_BYTES: Final = 1_000_000
"""A longer result is refused: it would be paid for again with every prompt that holds it."""

_RUN: Final = "stratal_run"
_CALL: Final = "stratal_call"

Kind = Literal["tool", "retrieval", "code"]


@dataclass(frozen=True, slots=True)
class SideCall:
    """What is about to be done; ``identity`` tells apart what has the same name."""

    kind: Kind
    node: str
    name: str
    arguments: Mapping[str, JsonValue]
    identity: str = ""


@dataclass(frozen=True, slots=True)
class SideCalls:
    """What the side calls of one run go through; ``answer`` runs a program within the run."""

    recorder: Recorder
    tracing: Tracing
    toolbox: Toolbox
    answer: Callable[[RunnableProgram, JsonObject], JsonObject]


@dataclass
class ProgramCall:
    """One call of a program; ``path`` leads to the tool that made it, if one did."""

    inputs: Mapping[str, Any]
    path: str = ""
    cause: Digest | None = None
    _counts: Counter[str] = field(default_factory=Counter[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _scope: str | None = None

    def key_of(self, call: SideCall) -> Digest:
        """The key of *call*, the next one of its sort."""
        sort = _digest([call.kind, call.name, call.identity, dict(call.arguments)])
        with self._lock:
            if self._scope is None:
                self._scope = _digest([self.cause, _plain(self.inputs)])
            ordinal = self._counts[sort]
            self._counts[sort] += 1
        return _digest([f"side:{KEY_VERSION}", self._scope, sort, ordinal])


def settings_of(run: SideCalls) -> dict[str, object]:
    """The settings of DSPy under which side calls are those of *run*."""
    return {_RUN: run, _CALL: None}


def the_run() -> SideCalls:
    """The run that is going on in this thread, or in the one that DSPy began it for.

    Raises:
        RuntimeError: None is.
    """
    if (run := dspy.settings.get(_RUN)) is None:
        raise RuntimeError("A tool is called within a run. Run the program by a DspyRunner.")
    return cast("SideCalls", run)


@contextmanager
def program_called(inputs: Mapping[str, Any]) -> Iterator[None]:
    """Count the side calls within as those of one call of the program on *inputs*."""
    outer = cast("ProgramCall | None", dspy.settings.get(_CALL))
    path, cause = ("", None) if outer is None else (outer.path, outer.cause)
    with dspy.context(**{_CALL: ProgramCall(inputs, path, cause)}):
        yield


def apart(items: int) -> list[dict[str, object]]:
    """DSPy's settings for each of *items* that may run at the same time, in any order.

    Under them the side calls of an item are counted apart from those of the others.
    """
    if (outer := cast("ProgramCall | None", dspy.settings.get(_CALL))) is None:
        return [{} for _ in range(items)]
    return [
        _counted_below(outer, SideCall("code", "", f"item {item}", {})) for item in range(items)
    ]


def within_code(code: str) -> dict[str, object]:
    """DSPy's settings under which the side calls of a piece of *code* are counted apart.

    A replay runs no code: the same call by a node after it must not become another one by that.
    """
    if (outer := cast("ProgramCall | None", dspy.settings.get(_CALL))) is None:
        return {}
    return _counted_below(outer, SideCall("code", "", "within", {"code": code}))


def _counted_below(outer: ProgramCall, cause: SideCall) -> dict[str, object]:
    return {_CALL: ProgramCall({}, outer.path, outer.key_of(cause))}


def counting(program: type[dspy.Module]) -> type[dspy.Module]:
    """*program* with the side calls of each of its calls counted apart."""
    whole = program.__call__

    def call(self: Any, /, *args: Any, **inputs: Any) -> Any:
        with program_called(inputs):
            return whole(self, *args, **inputs)

    program.__call__ = call
    return program


@contextmanager
def _called_by(node: str, cause: Digest) -> Iterator[None]:
    """Count what a program that is a tool does as caused by the call *cause* of that tool."""
    path = f"{node_path(node)}/"
    # Optimizers trace the program they work on; its tools' predictors are not among those.
    with dspy.context(**{_CALL: ProgramCall({}, path, cause), "trace": None}):
        yield


def node_path(node: str) -> str:
    """*node* of the program that runs, with the way there if that program is a tool."""
    call = dspy.settings.get(_CALL)
    return node if call is None else f"{call.path}{node}"


def side_call(
    kind: Kind,
    node: str,
    name: str,
    arguments: Mapping[str, JsonValue],
    do: Callable[[], JsonValue],
    *,
    identity: str = "",
) -> JsonValue:
    """What *do* gives; within a run it is done once, recorded, and answered from then on.

    Args:
        kind: What is called.
        node: Which node of the program calls.
        name: What the program knows it by.
        arguments: What it is called with; with *name* and *identity* all that the result needs.
        do: Does it. What it raises becomes a ``ToolFailed`` in stable words, and is recorded, too.
        identity: What *name* stands for, where that may change.

    Raises:
        ToolFailed: It failed, now or when it was recorded.
        RunStopped: The run ends now; as a replay, because the call is not in the log.
    """
    run = cast("SideCalls | None", dspy.settings.get(_RUN))
    call = SideCall(kind, node, name, arguments, identity)
    if run is None:
        return _result(_done(call, do))
    key = _current().key_of(call)
    return _result(run.recorder.answer(key, lambda: _made(run, call, key, do)))


def refused_once(node: str, name: str, why: Callable[[], Failure | None]) -> None:
    """Find out *why* the program may not go on, if it may not; only a refusal is recorded.

    Raises:
        ToolFailed: It may not, now or when it was recorded, whatever is allowed by now.
        RunStopped: The run ends now.
    """
    run, call = the_run(), SideCall("code", node, name, {}, "may it run")
    key, started = _current().key_of(call), time.perf_counter()
    body = run.recorder.recorded(key)
    if body is None and run.recorder.live and (failure := why()) is not None:
        body = {"failure": failure.model_dump(mode="json")}
        _record(run, call, key, body, started)
    if body is not None:
        _result(body)


def program_call(
    node: str,
    name: str,
    arguments: Mapping[str, JsonValue],
    do: Callable[[], JsonValue],
    *,
    identity: str,
) -> JsonValue:
    """``side_call`` of a program that is a tool: it runs again, and its own calls are answered."""
    run = cast("SideCalls | None", dspy.settings.get(_RUN))
    call = SideCall("tool", node, name, arguments, identity)
    if run is None:
        return _result(_done(call, do))
    key = _current().key_of(call)
    started = time.perf_counter()
    with _called_by(f"{node}.{name}", key):
        body = _done(call, do)
    before = run.recorder.recorded(key)
    if before is None:
        _record(run, call, key, body, started)
    elif before != body:
        what = f"The program {name} of {node} gave something else and"
        raise run.recorder.diverged(what, _missed(call, key))
    return _result(body)


def _current() -> ProgramCall:
    call = dspy.settings.get(_CALL)
    # A module that an optimizer calls on its own is no call of the program: it has no inputs.
    return ProgramCall({}) if call is None else cast("ProgramCall", call)


def _made(
    run: SideCalls, call: SideCall, key: Digest, do: Callable[[], JsonValue]
) -> dict[str, JsonValue]:
    if not run.recorder.live:
        raise _diverged(run, call, key)
    started = time.perf_counter()
    attributes = {"stratal.node": node_path(call.node), "stratal.tool": call.name}
    with run.tracing.span(call.kind, attributes):
        body = _done(call, do)
    _record(run, call, key, body, started)
    return body


def _record(
    run: SideCalls, call: SideCall, key: Digest, body: dict[str, JsonValue], started: float
) -> None:
    if not run.recorder.live:
        raise _diverged(run, call, key)
    arguments, result = Payload.of(dict(call.arguments)), Payload.of(body)
    failure = body.get("failure")
    fact = ToolCall(
        key=key,
        kind=call.kind,
        node=node_path(call.node),
        tool=call.name,
        arguments=arguments.ref,
        result=result.ref,
        latency_ms=(time.perf_counter() - started) * 1000,
        failure=None if failure is None else Failure.model_validate(failure),
    )
    try:
        run.recorder.journal.record_tool_call(fact, arguments, result)
    except RunStopped as stop:
        raise run.recorder.stopping(stop) from None


def _diverged(run: SideCalls, call: SideCall, key: Digest) -> RunStopped:
    what = f"The node {node_path(call.node)}, calling {call.name},"
    return run.recorder.diverged(what, _missed(call, key))


def _missed(call: SideCall, key: Digest) -> Missed:
    return Missed(key, node_path(call.node), dict(call.arguments), call.name)


def _done(call: SideCall, do: Callable[[], JsonValue]) -> dict[str, JsonValue]:
    """What came of it, as it is recorded: a result as JSON has it, or a failure."""
    try:
        written = canonical_json(mended(do()))
    except ToolFailed as error:
        failure = error.failure
    except Exception as error:  # noqa: BLE001 whatever a tool raises is told to the program
        failure = stable_failure(error)
    else:
        if len(written) <= MAX_RESULT_BYTES:
            # As it will be read back: a later attempt must go on with the very same.
            return {"result": cast("JsonValue", json.loads(written))}
        failure = _too_large(call.name, len(written))
    return {"failure": scrubbed(failure).model_dump(mode="json")}


def _result(body: Mapping[str, JsonValue]) -> JsonValue:
    if "failure" in body:
        raise ToolFailed(Failure.model_validate(body["failure"]))
    return body["result"]


def _too_large(name: str, size: int) -> Failure:
    message = f"{name} gave {size} bytes; a result has at most {MAX_RESULT_BYTES}. Ask for less."
    return Failure(code="tool.result_too_large", message=message)


def _digest(content: JsonValue) -> Digest:
    return hashlib.sha256(canonical_json(content)).hexdigest()


def _plain(value: Any) -> JsonValue:
    """*value* as JSON, as far as it goes: what it holds tells it from others."""
    match value:
        case BaseModel():
            return cast("JsonValue", value.model_dump(mode="json"))
        case dict():
            return {str(key): _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)
