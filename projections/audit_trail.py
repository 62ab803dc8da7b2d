"""The audit trail: one plain English sentence for each event, and who is answerable for it."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from domain.dataset.events import DatasetCreated
from domain.kernel import Event, Recorded
from domain.module.events import ModuleCreated
from domain.program.events import ProgramCreated
from domain.signature.events import SignatureDefined
from projections.audit_sentences import SAID, Words, quoted, sentence
from projections.folding import row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, OLDEST_FIRST, Cursor, Page, Row, Select


class AuditRow(Row):
    position: int = Field(description="Where in the log it stands; later ones are greater.")
    event_id: UUID
    at: datetime
    actor: str = Field(description="Who did it.")
    command: str = Field(description="The command that brought it about.")
    command_id: str
    correlation_id: UUID = Field(description="Names all that was done for the same reason.")
    causation_id: UUID | None = Field(description="The event it was a reaction to, if it was one.")
    topic: str = Field(description="What happened, as its stored name.")
    aggregate: str = Field(description="The kind of thing it happened to.")
    aggregate_id: UUID
    aggregate_version: int = Field(description="The version of that thing right after it.")
    sentence: str = Field(description="The same in plain English; names are those of that time.")


class AuditTrail(Projection):
    name: ClassVar[str] = "audit_trail"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE audit_name (
            tenant text NOT NULL,
            id     uuid NOT NULL,
            name   text NOT NULL,
            PRIMARY KEY (tenant, id)
        );
        CREATE TABLE audit_entry (
            tenant            text NOT NULL,
            position          bigint NOT NULL,
            event_id          uuid NOT NULL,
            at                timestamptz NOT NULL,
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
        CREATE INDEX audit_entry_aggregate ON audit_entry (tenant, aggregate_id, position);
        CREATE INDEX audit_entry_kind ON audit_entry (tenant, aggregate, position);
        CREATE INDEX audit_entry_actor ON audit_entry (tenant, actor, position);
        CREATE INDEX audit_entry_correlation ON audit_entry (tenant, correlation_id, position);
        CREATE INDEX audit_entry_time ON audit_entry (tenant, at);
    """
    events: ClassVar[tuple[type[Event], ...]] = SAID

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case (
                SignatureDefined(name=name)
                | ModuleCreated(name=name)
                | ProgramCreated(name=name)
                | DatasetCreated(name=name)
            ):
                yield Write(_NAME, row(recorded, name=quoted(name)))
            case _:
                pass
        words = sentence(recorded)
        columns = row(recorded, **_entry(recorded))
        if any(isinstance(word, UUID) for word in words):
            yield Write(_TELL_BY_NAME, columns | _by_name(words))
        else:
            yield Write(_TELL, columns | {"sentence": "".join(map(str, words))})


def audit(
    store: ReadStore,
    *,
    tenant: str,
    actor: str | None = None,
    aggregate: str | None = None,
    aggregate_id: UUID | None = None,
    correlation_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    order: Literal["newest", "oldest"] = "newest",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[AuditRow]:
    """What happened, at or after *since* and before *until*; *aggregate* is a kind: ``program``."""
    select = Select(_SELECT, of=AuditTrail, tenant=tenant)
    select.where("actor = %(actor)s", actor=actor)
    select.where("aggregate = %(aggregate)s", aggregate=aggregate)
    select.where("aggregate_id = %(aggregate_id)s", aggregate_id=aggregate_id)
    select.where("correlation_id = %(correlation_id)s", correlation_id=correlation_id)
    select.where("at >= %(since)s", since=since)
    select.where("at < %(until)s", until=until)
    by = NEWEST_FIRST if order == "newest" else OLDEST_FIRST
    return select.page(store, AuditRow, by, limit=limit, after=after)


def _entry(recorded: Recorded) -> dict[str, object]:
    envelope = recorded.envelope
    topic = recorded.event.TOPIC
    return {
        "event_id": envelope.event_id,
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
    SELECT position, event_id, at, actor, command, command_id, correlation_id, causation_id, topic,
           aggregate, aggregate_id, aggregate_version, sentence
    FROM audit_entry WHERE tenant = %(tenant)s"""

_NAME: LiteralString = """
    INSERT INTO audit_name (tenant, id, name) VALUES (%(tenant)s, %(id)s, %(name)s)
    ON CONFLICT DO NOTHING"""

_INTO: LiteralString = """
    INSERT INTO audit_entry (tenant, position, event_id, at, actor, command, command_id,
                             correlation_id, causation_id, topic, aggregate, aggregate_id,
                             aggregate_version, sentence)
    SELECT %(tenant)s, %(position)s, %(event_id)s, %(at)s, %(actor)s, %(command)s, %(command_id)s,
           %(correlation_id)s, %(causation_id)s, %(topic)s, %(aggregate)s, %(id)s, %(version)s, """

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
