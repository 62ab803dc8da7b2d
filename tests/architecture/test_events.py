"""Stored names and shapes of events never change by accident."""

import json
from pathlib import Path

from domain.kernel import Event, members
from infrastructure.eventstore.topics import UNIONS

GOLDEN = Path(__file__).parent / "golden" / "events.json"


def all_events() -> list[type[Event]]:
    return [event for union in UNIONS for event in members(union)]


def shapes() -> dict[str, object]:
    return {
        event.TOPIC: {"version": event.VERSION, "schema": event.model_json_schema()}
        for event in sorted(all_events(), key=lambda event: event.TOPIC)
    }


def test_every_event_is_in_the_union_of_its_aggregate() -> None:
    defined = {cls for cls in Event.__subclasses__() if cls.__module__.startswith("domain.")}

    assert defined == set(all_events())


def test_no_two_events_share_a_topic() -> None:
    topics = [event.TOPIC for event in all_events()]

    assert sorted(set(topics)) == sorted(topics)


def test_stored_shapes_are_the_golden_ones() -> None:
    """A change of shape raises ``VERSION``, gets an upcaster, and then updates the golden file.

    ``python -m tests.architecture.golden`` writes it.
    """
    assert json.loads(GOLDEN.read_text()) == json.loads(json.dumps(shapes()))
