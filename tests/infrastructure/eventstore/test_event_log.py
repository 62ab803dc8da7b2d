from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from application.context import Context, within
from application.errors import IdempotencyKeyReused
from application.tracing import Attributes, NoTracing
from domain.program.events import ProgramRetired
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from tests.contracts.repository import CONTEXT, NOW, Notes


def note(log: EventLog, *reasons: str, context: Context = CONTEXT) -> Notes:
    notes = Notes(uuid4()).note(*reasons)
    with within(context):
        EventSourcedRepository(log, Notes).save(notes)
    return notes


def test_the_log_is_read_on_from_a_position_in_order(log: EventLog) -> None:
    note(log, "a", "b")
    note(log, "c")
    first = log.events(0, 2)
    assert [each.position for each in first] == [1, 2]
    (last,) = log.events(2, 10)
    assert last.event == ProgramRetired(reason="c")
    assert last.recorded_at is not None
    assert log.events(3, 10) == []
    assert log.head() == 3


def test_the_log_of_one_tenant_holds_no_other(log: EventLog) -> None:
    note(log, "a")
    note(log, "b", context=replace(CONTEXT, tenant="other"))
    assert [each.envelope.tenant for each in log.events(0, 10, tenant="other")] == ["other"]
    assert len(log.events(0, 10)) == 2


def test_an_empty_log_has_no_head(log: EventLog) -> None:
    assert log.head() == 0
    assert log.history(uuid4()) == []


def test_the_envelope_says_on_whose_behalf_and_because_of_what(log: EventLog) -> None:
    context = replace(
        CONTEXT, causation_id=UUID(int=9), traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    )
    (recorded,) = log.history(note(log, "a", context=context).id)
    envelope = recorded.envelope
    assert (envelope.tenant, envelope.actor, envelope.command) == ("acme", "ada", "Note")
    assert (envelope.command_id, envelope.correlation_id) == ("first", UUID(int=7))
    assert (envelope.causation_id, envelope.traceparent) == (UUID(int=9), context.traceparent)
    assert envelope.event_id.version == 7
    assert recorded.timestamp == NOW


def test_a_receipt_can_be_looked_up_before_the_command_is_carried_out(log: EventLog) -> None:
    keyed = replace(CONTEXT, fingerprint="f" * 64)
    assert log.receipts.find(keyed) is None
    notes = note(log, "a", context=keyed)
    found = log.receipts.find(keyed)
    assert found is not None
    assert (found.id, found.version, found.position) == (notes.id, 1, 1)
    assert log.receipts.find(replace(keyed, fingerprint=None)) is None
    with pytest.raises(IdempotencyKeyReused):
        log.receipts.find(replace(keyed, fingerprint="e" * 64))


class _Spans(NoTracing):
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, object]]] = []

    @contextmanager
    def span(self, name: str, attributes: Attributes = {}) -> Iterator["_Spans"]:  # type: ignore[override]  # noqa: B006
        self.seen.append((name, dict(attributes)))
        yield self

    def set(self, attributes: Mapping[str, object]) -> None:
        self.seen[-1][1].update(attributes)


def test_a_save_is_a_span_that_knows_its_position(recorder: PostgresRecorder) -> None:
    spans = _Spans()
    note(EventLog(recorder, tracing=spans), "a", "b")
    assert spans.seen == [("append program", {"events": 2, "position": 2})]
