"""What was ever stored is read by today's code, byte for byte as it was when it was written."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, create_model

from domain.kernel import Envelope, Event
from infrastructure.eventstore import mapper as mapping
from infrastructure.eventstore.mapper import EventMapper, UnreadableEvent
from infrastructure.eventstore.topics import EVENTS
from infrastructure.eventstore.upcasters import STEPS, Upcasters
from tests.architecture.golden.examples import EXAMPLES
from tests.architecture.golden.stored import STORED, names, read, rows, seal, write_missing

KEPT = sorted(names())
TODAY = sorted((topic, event.VERSION) for topic, event in EVENTS.items())


def check(topic: str, version: int, mapper: EventMapper) -> None:
    """Read a golden file; what today's version wrote, it must still write in the same bytes."""
    for row in rows(topic, version):
        recorded = read(row, mapper)
        if version == recorded.event.VERSION:
            assert seal(recorded, mapper) == row


def test_every_topic_has_a_golden_file_of_each_of_its_versions() -> None:
    """``python -m tests.architecture.golden`` writes those of a new event or version."""
    wanted = {
        (topic, version)
        for topic, event in EVENTS.items()
        for version in range(1, event.VERSION + 1)
    }
    assert names() == wanted


@pytest.mark.parametrize(("topic", "version"), KEPT)
def test_every_stored_shape_is_read_by_todays_code(topic: str, version: int) -> None:
    check(topic, version, EventMapper())


@pytest.mark.parametrize(("topic", "version"), TODAY)
def test_the_first_example_fills_every_field(topic: str, version: int) -> None:
    recorded = read(rows(topic, version)[0], EventMapper())
    assert _gaps(recorded.event) == []
    assert _gaps(recorded.envelope) == []


@pytest.mark.parametrize(("topic", "version"), TODAY)
def test_every_value_that_an_event_may_hold_is_in_its_golden_file(topic: str, version: int) -> None:
    parts = EVENTS[topic].model_json_schema().get("$defs", {}).items()
    possible = {name for name, part in parts if "properties" in part}
    mapper = EventMapper()
    events = [read(row, mapper).event for row in rows(topic, version)]
    assert {name for event in events for name in _values(event)} - {EVENTS[topic].__name__} == (
        possible
    )


def test_the_examples_are_of_the_events_of_today() -> None:
    assert EXAMPLES.keys() == EVENTS.keys()
    assert all(type(each) is EVENTS[topic] for topic, many in EXAMPLES.items() for each in many)


@pytest.mark.parametrize(("topic", "version"), TODAY)
@pytest.mark.parametrize(
    "change",
    [
        {"added_later": (str, ...)},
        {"added_later": (str | None, None)},
    ],
    ids=["a required field", "an optional field"],
)
def test_a_shape_that_changed_without_a_version_is_found(
    topic: str, version: int, change: dict[str, Any]
) -> None:
    changed = create_model("Changed", __base__=EVENTS[topic], **change)
    mapper = EventMapper({**EVENTS, topic: changed})
    with pytest.raises((UnreadableEvent, AssertionError)):
        check(topic, version, mapper)


@pytest.mark.parametrize("topic", sorted(topic for topic in EVENTS if EVENTS[topic].model_fields))
def test_a_field_that_was_removed_or_renamed_without_a_version_is_found(topic: str) -> None:
    kept = dict(EVENTS[topic].model_fields)
    name, field = kept.popitem()
    for fields in kept, {**kept, f"{name}_renamed": field}:
        body = {each: (it.annotation, it) for each, it in fields.items()}
        changed = create_model("Changed", __base__=_bare(topic), **body)
        with pytest.raises(UnreadableEvent):
            check(topic, EVENTS[topic].VERSION, EventMapper({**EVENTS, topic: changed}))


def test_a_change_of_the_envelope_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = create_model("Changed", __base__=Envelope, added_later=(str | None, None))
    monkeypatch.setattr(mapping, "Envelope", changed)
    with pytest.raises(AssertionError):
        check("program.retired", 1, EventMapper())


def test_with_a_new_version_and_its_upcaster_the_old_file_is_read() -> None:
    class Renamed(Event):
        TOPIC: ClassVar[str] = "program.retired"
        VERSION: ClassVar[int] = 2

        why: str

    events = {**EVENTS, "program.retired": Renamed}
    step = {("program.retired", 1): lambda old: {"why": old["reason"]}}
    lift = Upcasters(events, {**STEPS, **step})
    check("program.retired", 1, EventMapper(events, lift))


def test_a_golden_file_is_written_once(tmp_path: Path) -> None:
    assert len(write_missing(tmp_path)) == len(EVENTS)
    kept = tmp_path / "program.retired.v1.jsonl"
    kept.write_bytes(b"as it was\n")
    (tmp_path / "program.testing_started.v1.jsonl").unlink()
    assert write_missing(tmp_path) == ["program.testing_started.v1.jsonl"]
    assert kept.read_bytes() == b"as it was\n"
    assert write_missing(STORED) == []


def _bare(topic: str) -> type[Event]:
    """An event without fields."""

    class Bare(Event):
        TOPIC: ClassVar[str] = topic
        VERSION: ClassVar[int] = EVENTS[topic].VERSION

    return Bare


def _gaps(value: object) -> list[object]:
    """What is null or empty in *value*, at any depth of our own models."""
    if isinstance(value, BaseModel):
        return [gap for name in type(value).model_fields for gap in _gaps(getattr(value, name))]
    if isinstance(value, tuple):
        return [gap for each in value for gap in _gaps(each)] if value else [value]
    return [value] if value is None or value in ("", {}) else []


def _values(value: object) -> set[str]:
    """The names of our own models in *value*, at any depth."""
    if isinstance(value, BaseModel):
        inner = [getattr(value, name) for name in type(value).model_fields]
        return {type(value).__name__}.union(*map(_values, inner))
    if isinstance(value, tuple | dict):
        inner = list(value.values()) if isinstance(value, dict) else list(value)
        return set[str]().union(*map(_values, inner))
    return set()
