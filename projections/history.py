"""Everything that ever happened to one thing: what each event made of it, and what it changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import Recorded
from domain.text import mended
from projections import record_states, run_states, states
from projections.differences import differences
from projections.paging import DEFAULT_LIMIT, Cursor, CursorIsInvalid, Page, Row
from projections.webhook_states import webhook
from projections.workflow_states import workflow, workflow_run

Mode = Literal["changes_only", "snapshot", "full_diff"]
Kind = Literal[
    "signature",
    "module",
    "program",
    "dataset",
    "execution",
    "optimization",
    "evaluation",
    "probe",
    "tool",
    "workflow",
    "workflow_run",
    "webhook",
    "api_key",
    "record",
    "binding",
]

Fold = Callable[[Any, Recorded], Row]
"""What a thing is after an event, of what it was before, which is ``None`` at first."""

_FOLDS: Final[Mapping[Kind, Fold]] = {
    "signature": states.signature,
    "module": states.module,
    "program": states.program,
    "dataset": states.dataset,
    "execution": run_states.execution,
    "optimization": run_states.optimization,
    "evaluation": run_states.evaluation,
    "probe": states.probe,
    "tool": states.tool,
    "workflow": workflow,
    "workflow_run": workflow_run,
    "webhook": webhook,
    "api_key": states.api_key,
    "record": record_states.record,
    "binding": record_states.binding,
}
_ELSEWHERE: Final = frozenset({"adopted_version", "adopted_at"})
"""What an event of another thing changes: that thing's history has it."""

_KEPT_BY_EACH: Final = frozenset({"version", "updated_at"})
"""What every event changes: the entry itself says it."""


class Change(Row):
    """One member that the event set, as RFC 6902 has it; ``value`` is left out of a removal."""

    op: Literal["add", "remove", "replace"]
    path: str = Field(description="RFC 6901 JSON pointer into the thing.", examples=["/name"])
    value: JsonValue = None
    before: JsonValue = Field(
        default=None, description="What it was; only told in `full_diff`, and of what was there."
    )


class HistoryRow(Row):
    """One event of a thing, and the thing right after it."""

    version: int = Field(description="The version of the thing right after it: its ETag then.")
    position: int = Field(description="Where in the log it stands.")
    event_id: UUID
    at: datetime
    actor: str = Field(description="Who did it; of a reaction, on whose behalf the service did it.")
    command: str
    topic: str = Field(description="What happened, as its stored name.")
    name: str | None = Field(description="The name of the thing, if it has one.")
    config: dict[str, JsonValue] | None = Field(description="Its settings, if it has some.")
    status: str = Field(
        description="A run's status, a program's stage; of others active or retired."
    )
    changes: tuple[Change, ...] = Field(
        default=(), description="What the event changed; left out of snapshots."
    )
    snapshot: dict[str, JsonValue] = Field(
        default={}, description="The whole thing as it was then; only told in `snapshot`."
    )


class _Step(NamedTuple):
    recorded: Recorded
    before: Row | None
    after: Row


def history(
    stream: Sequence[Recorded],
    *,
    kind: Kind,
    mode: Mode = "changes_only",
    status: str | None = None,
    order: Literal["newest", "oldest"] = "newest",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[HistoryRow]:
    """The events of one *stream* of a *kind*, after which the thing had that *status*.

    Raises:
        CursorIsInvalid: The cursor belongs to another list, or was made up.
    """
    steps = [each for each in _steps(_FOLDS[kind], stream) if status in (None, _status(each.after))]
    if order == "newest":
        steps.reverse()
    if after is not None:
        beyond = _version(after)
        is_beyond = beyond.__gt__ if order == "newest" else beyond.__lt__
        steps = [each for each in steps if is_beyond(each.recorded.originator_version)]
    rows = tuple(_row(each, mode) for each in steps[:limit])
    return Page(rows, (rows[-1].version,) if len(steps) > limit else None)


def state(stream: Sequence[Recorded], *, kind: Kind) -> Mapping[str, JsonValue]:
    """The thing after all of *stream*, as its read model shows it."""
    *_, last = _steps(_FOLDS[kind], stream)
    return _document(last.after)


def _steps(fold: Fold, stream: Sequence[Recorded]) -> Iterator[_Step]:
    before: Row | None = None
    for recorded in stream:
        after = fold(before, recorded)
        yield _Step(recorded, before, after)
        before = after


def _row(step: _Step, mode: Mode) -> HistoryRow:
    recorded, document = step.recorded, _document(step.after)
    told: dict[str, Any] = {"snapshot": document}
    if mode != "snapshot":
        former: Mapping[str, JsonValue] = {} if step.before is None else _document(step.before)
        told = {"changes": tuple(_changes(former, document, is_full=mode == "full_diff"))}
    return HistoryRow(
        version=recorded.originator_version,
        position=recorded.position or 0,
        event_id=recorded.envelope.event_id,
        at=recorded.timestamp,
        actor=recorded.envelope.actor,
        command=recorded.envelope.command,
        topic=recorded.event.TOPIC,
        name=getattr(step.after, "name", None),
        config=_object(document.get("config")),
        status=_status(step.after),
        **told,
    )


def _changes(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue], *, is_full: bool
) -> Iterator[Change]:
    for each in differences(_told(before), _told(after)):
        values: dict[str, JsonValue] = {} if each.op == "remove" else {"value": each.after}
        if is_full and each.op != "add":
            values["before"] = each.before
        yield Change(op=each.op, path=each.path, **values)


def _told(document: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    return {name: value for name, value in document.items() if name not in _KEPT_BY_EACH}


def _document(row: Row) -> Mapping[str, JsonValue]:
    document = _object(mended(row.model_dump(mode="json", exclude=set(_ELSEWHERE))))
    assert document is not None
    return document


def _object(value: JsonValue) -> dict[str, JsonValue] | None:
    return value if isinstance(value, dict) else None


def _status(row: Any) -> str:
    """How far along a thing is, by the word of its kind for it."""
    if (known := getattr(row, "status", None) or getattr(row, "stage", None)) is not None:
        return str(known)
    return "active" if getattr(row, "retired_at", None) is None else "retired"


def _version(cursor: Cursor) -> int:
    try:
        (version,) = cursor
        return int(version)
    except ValueError as error:
        raise CursorIsInvalid from error
