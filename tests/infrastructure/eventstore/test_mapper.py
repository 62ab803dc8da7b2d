import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.kernel import Envelope, Event, Recorded
from domain.program.events import ProgramRetired
from infrastructure.eventstore.mapper import EventMapper, UnreadableEvent
from infrastructure.eventstore.stored import LogEntry, SealedEvent
from infrastructure.eventstore.topics import EVENTS, TopicIsTaken, registry
from infrastructure.eventstore.upcasters import BrokenUpcasterChain, State, Upcasters
from tests.support.built_events import envelopes, events

AT = datetime(2030, 1, 1, tzinfo=UTC)
BY = Envelope(
    event_id=UUID(int=1),
    tenant="acme",
    actor="ada",
    command="Retire",
    command_id="c",
    correlation_id=UUID(int=2),
)


def recorded(event: Event, envelope: Envelope = BY) -> Recorded:
    return Recorded(uuid4(), 3, event, AT, envelope)


def read_back(sealed: SealedEvent, *, position: int = 9) -> LogEntry:
    assert isinstance(sealed.originator_id, UUID)
    return LogEntry(
        sealed.originator_id,
        sealed.originator_version,
        sealed.topic,
        sealed.state,
        position,
        sealed.event_id,
        sealed.tenant,
        sealed.metadata,
        AT,
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=events(), envelope=envelopes(), at=st.datetimes(timezones=st.just(UTC)))
def test_whatever_is_stored_is_read_back_the_same(
    event: Event, envelope: Envelope, at: datetime
) -> None:
    mapper = EventMapper()
    before = replace(recorded(event, envelope), timestamp=at)
    after = mapper.to_domain_event(read_back(mapper.to_stored_event(before)))
    assert after == replace(before, position=9, recorded_at=AT)


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_every_event_of_the_product_is_built_stored_and_read_back(topic: str) -> None:
    mapper = EventMapper()

    @settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(event=events(EVENTS[topic]))
    def check(event: Event) -> None:
        entry = read_back(mapper.to_stored_event(recorded(event)))
        assert mapper.to_domain_event(entry).event == event

    check()


class Renamed(Event):
    """What the one real upcaster chain of these tests leads to: text became words."""

    TOPIC: ClassVar[str] = "note.renamed"
    VERSION: ClassVar[int] = 3

    words: tuple[str, ...]
    language: str


def split(state: State) -> State:
    return {"words": state["text"].split()}


def name_language(state: State) -> State:
    return {**state, "language": "en"}


STEPS = {("note.renamed", 1): split, ("note.renamed", 2): name_language}
NOTES = {"note.renamed": Renamed}


def old(version: int, event: dict[str, Any]) -> LogEntry:
    sealed = EventMapper().to_stored_event(recorded(ProgramRetired(reason="x")))
    state = json.dumps({"v": version, "at": AT.isoformat(), "event": event}).encode()
    return replace(read_back(sealed), topic="note.renamed", state=state)


@pytest.mark.parametrize(
    ("version", "stored"),
    [
        (1, {"text": "old words"}),
        (2, {"words": ["old", "words"]}),
        (3, {"words": ["old", "words"], "language": "en"}),
    ],
)
def test_an_event_of_any_older_version_is_lifted_to_the_present_one(
    version: int, stored: dict[str, Any]
) -> None:
    mapper = EventMapper(NOTES, Upcasters(NOTES, STEPS))
    lifted = mapper.to_domain_event(old(version, stored)).event
    assert lifted == Renamed(words=("old", "words"), language="en")


@pytest.mark.parametrize(
    "steps",
    [
        {("note.renamed", 1): split},
        {**STEPS, ("note.renamed", 3): split},
        {**STEPS, ("note.lost", 1): split},
    ],
    ids=["a gap", "beyond the present version", "no such event"],
)
def test_a_chain_with_a_fault_is_refused_at_the_start(steps: dict[tuple[str, int], Any]) -> None:
    with pytest.raises(BrokenUpcasterChain):
        Upcasters(NOTES, steps)


def test_an_event_whose_version_rose_without_an_upcaster_is_refused_at_the_start() -> None:
    with pytest.raises(BrokenUpcasterChain):
        EventMapper(NOTES)


def test_two_events_with_one_topic_are_refused() -> None:
    class Impostor(Event):
        TOPIC: ClassVar[str] = "program.retired"

    with pytest.raises(TopicIsTaken, match="Impostor"):
        registry([ProgramRetired | Impostor])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"topic": "os.system"}, "no event has this topic"),
        ({"state": b'{"v":2,"at":"2030-01-01T00:00:00Z","event":{"reason":"x"}}'}, "version 2"),
        ({"state": b'{"v":0,"at":"2030-01-01T00:00:00Z","event":{"reason":"x"}}'}, "version 0"),
        ({"state": b'{"v":1,"at":"2030-01-01T00:00:00Z","event":{"reason":5}}'}, "reason"),
        ({"state": b'{"v":1,"at":"yesterday","event":{"reason":"x"}}'}, "isoformat"),
        ({"state": b'{"v":1,"event":{"reason":"x"}}'}, "lacks 'at'"),
        ({"state": b"[]"}, "list indices"),
        ({"state": b"{"}, "EOF"),
        ({"metadata": "{}"}, "actor"),
        ({"metadata": "{"}, "EOF"),
    ],
)
def test_what_cannot_be_read_is_named_by_position_and_topic(
    change: dict[str, Any], why: str
) -> None:
    entry = read_back(EventMapper().to_stored_event(recorded(ProgramRetired(reason="x"))))
    with pytest.raises(UnreadableEvent, match=why) as refused:
        EventMapper().to_domain_event(replace(entry, **change))
    assert refused.value.position == 9
    assert refused.value.topic == change.get("topic", "program.retired")


def test_the_reason_why_an_event_is_unreadable_holds_no_stored_value() -> None:
    entry = read_back(EventMapper().to_stored_event(recorded(ProgramRetired(reason="x"))))
    state = entry.state.replace(b'"x"', b'["secret"]')
    with pytest.raises(UnreadableEvent) as refused:
        EventMapper().to_domain_event(replace(entry, state=state))
    assert "secret" not in str(refused.value)


def test_an_upcaster_that_fails_in_any_way_leaves_an_unreadable_event() -> None:
    def fail(_state: State) -> State:
        raise AttributeError

    mapper = EventMapper(NOTES, Upcasters(NOTES, {**STEPS, ("note.renamed", 1): fail}))
    entry = old(1, {"text": "old words"})
    with pytest.raises(UnreadableEvent, match="AttributeError"):
        mapper.to_domain_event(entry)
    with pytest.raises(UnreadableEvent, match="AttributeError"):
        mapper.event(entry)
