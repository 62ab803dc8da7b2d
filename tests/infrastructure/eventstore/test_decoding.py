"""A state that is read in one pass over its bytes says what it says step by step."""

from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from domain.kernel import Event
from infrastructure.eventstore.decoding import Decoder
from infrastructure.eventstore.topics import EVENTS
from infrastructure.eventstore.upcasters import Upcasters
from tests.support.built_events import events

DECODER = Decoder(EVENTS, Upcasters.of_the_house(EVENTS))
AT = "2030-01-01T00:00:00+00:00"


def state(version: int, body: str) -> bytes:
    return f'{{"v":{version},"at":"{AT}","event":{body}}}'.encode()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=events())
def test_one_pass_reads_what_the_steps_read(event: Event) -> None:
    stored = state(event.VERSION, event.model_dump_json())
    whole = DECODER.decode(event.TOPIC, stored)
    # The space in front hides from the first look that the version is today's.
    assert whole == DECODER.decode(event.TOPIC, b" " + stored) == (event, AT)


class Spelled(Event):
    """Version 2 of a note: what was a text became a list of words."""

    TOPIC: ClassVar[str] = "note.spelled"
    VERSION: ClassVar[int] = 2

    words: tuple[str, ...]


def test_an_older_version_is_lifted_even_if_it_would_pass_for_todays() -> None:
    def halve(old: dict[str, Any]) -> dict[str, Any]:
        return {"words": old["words"][::2]}

    registry = {"note.spelled": Spelled}
    decoder = Decoder(registry, Upcasters(registry, {("note.spelled", 1): halve}))
    body = '{"words":["a","b","c"]}'
    assert decoder.decode("note.spelled", state(1, body)).event == Spelled(words=("a", "c"))
    assert decoder.decode("note.spelled", state(2, body)).event == Spelled(words=("a", "b", "c"))


def test_a_version_said_twice_is_taken_as_the_steps_take_it() -> None:
    twice = state(1, '{"reason":"x"}').replace(b',"event"', b',"v":2,"event"')
    with pytest.raises(LookupError, match="it has version 2"):
        DECODER.decode("program.retired", twice)


def test_what_is_not_valid_is_refused() -> None:
    with pytest.raises(ValidationError):
        DECODER.decode("program.retired", state(1, '{"reason":5}'))
