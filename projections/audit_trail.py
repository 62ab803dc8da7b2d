"""The audit trail: one plain English sentence for each event, and who is answerable for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal, LiteralString, TypedDict, Unpack
from uuid import UUID

from pydantic import Field

from domain.binding.events import BindingCreated
from domain.dataset.events import DatasetCreated
from domain.kernel import Event, Recorded
from domain.module.events import ModuleCreated
from domain.program.events import ProgramCreated, ProgramRenamed
from domain.provider.events import ProviderRegistered
from domain.route.events import RouteCreated
from domain.signature.events import SignatureDefined
from domain.tool.events import ToolCreated
from domain.webhook.events import WebhookSubscribed
from domain.workflow.events import WorkflowDefined
from projections.audit_sentences import SAID, sentence
from projections.folding import row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, OLDEST_FIRST, Cursor, Page, Row, Select
from projections.past import grown
from projections.words import Words, quoted


class Cause(Row):
    """The event that something was a reaction to, and the command that caused it in turn."""

    position: int
    topic: str
    command: str
    command_id: str


class AuditRow(Row):
    position: int = Field(description="Where in the log it stands; later ones are greater.")
    event_id: UUID
    at: datetime = Field(description="When it happened, by the clock of who decided it.")
    recorded_at: datetime = Field(description="When it got into the log, by the database's clock.")
    actor: str = Field(description="Who did it; of a reaction, on whose behalf the service did it.")
    command: str = Field(description="The command that brought it about.")
    command_id: str
    correlation_id: UUID = Field(description="Names all that was done for the same reason.")
    causation_id: UUID | None = Field(description="The event it was a reaction to, if it was one.")
    cause: Cause | None = Field(description="That event, if it was a reaction.")
    topic: str = Field(description="What happened, as its stored name.")
    aggregate: str = Field(description="The kind of thing it happened to.")
    aggregate_id: UUID
    aggregate_version: int = Field(description="The version of that thing right after it.")
    sentence: str = Field(description="The same in plain English; names are those of that time.")


class Filters(TypedDict, total=False):
    """What an audit may be narrowed to; ``aggregate`` is a kind, such as ``program``.

    ``since`` and ``until`` are about ``recorded_at``, which never falls from one position to the
    next: the second one is not part of the answer.
    """

    actor: str | None
    aggregate: str | None
    aggregate_id: UUID | None
    topics: tuple[str, ...]
    command: str | None
    correlation_id: UUID | None
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class AuditPage(Page[AuditRow]):
    """``previous`` is the cursor of the rows before these; ``None`` on the first page."""

    previous: Cursor | None


class AuditTrail(Projection):
    name: ClassVar[str] = "audit_trail"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = """
        CREATE TABLE audit_name (
            tenant   text NOT NULL,
            id       uuid NOT NULL,
            name     text NOT NULL,
            position bigint NOT NULL,
            PRIMARY KEY (tenant, id)
        );
        CREATE TABLE audit_entry (
            tenant            text NOT NULL,
            position          bigint NOT NULL,
            event_id          uuid NOT NULL,
            at                timestamptz NOT NULL,
            recorded_at       timestamptz NOT NULL,
            actor             text NOT NULL,
            command           text NOT NULL,
            command_id        text NOT NULL,
            correlation_id    uuid NOT NULL,
            causation_id      uuid,
            topic             text NOT NULL,
            aggregate         text NOT NULL,
            aggregate_id      uuid NOT NULL,
            aggregate_version bigint NOT NULL,
            sentence          text NOT NULL,
            PRIMARY KEY (tenant, position)
        );
    """
    indexes: ClassVar[LiteralString] = """
        CREATE INDEX audit_entry_aggregate ON audit_entry (tenant, aggregate_id, position);
        CREATE INDEX audit_entry_kind ON audit_entry (tenant, aggregate, position);
        CREATE INDEX audit_entry_actor ON audit_entry (tenant, actor, position);
        CREATE INDEX audit_entry_topic ON audit_entry (tenant, topic, position);
        CREATE INDEX audit_entry_command ON audit_entry (tenant, command, position);
        CREATE INDEX audit_entry_correlation ON audit_entry (tenant, correlation_id, position);
        CREATE INDEX audit_entry_time ON audit_entry (tenant, recorded_at, position);
        CREATE INDEX audit_entry_event ON audit_entry (tenant, event_id);
    """
    past: ClassVar[tuple[LiteralString, ...]] = (grown("audit_entry"),)
    events: ClassVar[tuple[type[Event], ...]] = SAID

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case (
                SignatureDefined(name=name)
                | ModuleCreated(name=name)
                | ProgramCreated(name=name)
                | DatasetCreated(name=name)
                | WorkflowDefined(name=name)
                | WebhookSubscribed(name=name)
                | ProviderRegistered(name=name)
                | RouteCreated(name=name)
                | BindingCreated(name=name)
            ):
                yield Write(_NAME, row(recorded, name=quoted(name)))
            case ToolCreated(spec=spec):
                yield Write(_NAME, row(recorded, name=quoted(spec.name)))
            case ProgramRenamed(name=name):
                yield Write(_RENAME, row(recorded, name=quoted(name)))
            case _:
                pass
        words = sentence(recorded)
        if UUID in map(type, words):
            yield Write(_TELL_BY_NAME, row(recorded, **_entry(recorded), **_by_name(words)))
        else:
            told = "".join(map(str, words))
            yield Write(_TELL, row(recorded, **_entry(recorded), sentence=told))


def audit(
    store: ReadStore,
    *,
    tenant: str,
    order: Literal["newest", "oldest"] = "newest",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
    **only: Unpack[Filters],
) -> AuditPage:
    """What happened, page by page, on from a page's ``next`` or back from its ``previous``."""
    select = Select(_SELECT, of=AuditTrail, tenant=tenant)
    select.where("actor = %(actor)s", actor=only.get("actor"))
    select.where("aggregate = %(aggregate)s", aggregate=only.get("aggregate"))
    select.where("aggregate_id = %(aggregate_id)s", aggregate_id=only.get("aggregate_id"))
    select.where("command = %(command)s", command=only.get("command"))
    select.where("correlation_id = %(correlation_id)s", correlation_id=only.get("correlation_id"))
    select.where(_SINCE, since=only.get("since"))
    select.where(_UNTIL, until=only.get("until"))
    topics = only.get("topics", ())
    if len(topics) == 1:
        select.where("topic = %(topic)s", topic=topics[0])
    elif topics:
        select.where("topic = ANY(%(topics)s)", topics=list(topics))
    return _page(select, store, newest_first=order == "newest", limit=limit, after=after)


def _page(
    select: Select, store: ReadStore, *, newest_first: bool, limit: int, after: Cursor | None
) -> AuditPage:
    """A page backwards is one of the opposite order, turned round."""
    back = after is not None and after[-1:] == _BACK
    start = after[:-1] if back and after is not None else after
    by = NEWEST_FIRST if newest_first is not back else OLDEST_FIRST
    found = select.page(store, AuditRow, by, limit=limit, after=start)
    rows = found.rows[::-1] if back else found.rows
    if not rows:
        return AuditPage(rows, None, None)
    first, last = by.cursor(rows[0]), by.cursor(rows[-1])
    has_next = back or found.next is not None
    has_previous = found.next is not None if back else after is not None
    return AuditPage(rows, last if has_next else None, (*first, *_BACK) if has_previous else None)


def _entry(recorded: Recorded) -> dict[str, object]:
    envelope = recorded.envelope
    topic = recorded.event.TOPIC
    return {
        "event_id": envelope.event_id,
        "recorded_at": recorded.recorded_at or recorded.timestamp,
        "command": envelope.command,
        "command_id": envelope.command_id,
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
        "topic": topic,
        "aggregate": topic.partition(".")[0],
    }


def _by_name(words: Words) -> dict[str, object]:
    return {
        "words": [str(word) for word in words],
        "names": [word if isinstance(word, UUID) else None for word in words],
    }


_SELECT: LiteralString = """
    SELECT position, event_id, at, recorded_at, actor, command, command_id, correlation_id,
           causation_id, topic, aggregate, aggregate_id, aggregate_version, sentence,
           (SELECT json_build_object('position', c.position, 'topic', c.topic,
                                     'command', c.command, 'command_id', c.command_id)
            FROM audit_entry AS c
            WHERE c.tenant = audit_entry.tenant AND c.event_id = audit_entry.causation_id) AS cause
    FROM audit_entry WHERE tenant = %(tenant)s"""

_SINCE: LiteralString = """position > coalesce((
        SELECT t.position FROM audit_entry AS t
        WHERE t.tenant = %(tenant)s AND t.recorded_at < %(since)s
        ORDER BY t.recorded_at DESC, t.position DESC LIMIT 1), 0)"""
_UNTIL: LiteralString = """position <= coalesce((
        SELECT t.position FROM audit_entry AS t
        WHERE t.tenant = %(tenant)s AND t.recorded_at < %(until)s
        ORDER BY t.recorded_at DESC, t.position DESC LIMIT 1), 0)"""
"""Times as positions, found once: each index ends in the position, so it serves a range of it."""

_BACK: Final[Cursor] = ("back",)

_NAME: LiteralString = """
    INSERT INTO audit_name (tenant, id, name, position)
    VALUES (%(tenant)s, %(id)s, %(name)s, %(position)s)
    ON CONFLICT DO NOTHING"""

_RENAME: LiteralString = """
    UPDATE audit_name SET name = %(name)s, position = %(position)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND position < %(position)s"""

_INTO: LiteralString = """
    INSERT INTO audit_entry (tenant, position, event_id, at, recorded_at, actor, command,
                             command_id, correlation_id, causation_id, topic, aggregate,
                             aggregate_id, aggregate_version, sentence)
    SELECT %(tenant)s, %(position)s, %(event_id)s, %(at)s, %(recorded_at)s, %(actor)s, %(command)s,
           %(command_id)s, %(correlation_id)s, %(causation_id)s, %(topic)s, %(aggregate)s, %(id)s,
           %(version)s, """

_TELL = "".join((_INTO, "%(sentence)s ON CONFLICT DO NOTHING"))

_TELL_BY_NAME = "".join(
    (
        _INTO,
        """(
        SELECT string_agg(coalesce(known.name, said.word), '' ORDER BY said.place)
        FROM unnest(%(words)s::text[], %(names)s::uuid[])
            WITH ORDINALITY AS said (word, id, place)
        LEFT JOIN audit_name AS known ON known.tenant = %(tenant)s AND known.id = said.id)
    ON CONFLICT DO NOTHING""",
    )
)
