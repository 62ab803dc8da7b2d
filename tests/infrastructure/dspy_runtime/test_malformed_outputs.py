"""F-31: whatever a model says is read, repaired, or a typed failure; never stored poison."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest
from dspy import lm15

from application.lm_ports import JsonObject, ProgramFailed
from application.payloads import Payload
from domain.signature.fields import FieldSpec
from domain.signature.types import STRING, EnumOf, FieldType, ListOf, OptionalOf, Primitive
from domain.text import json_faults
from domain.values import Failure, Reading
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single, spec

pytestmark = pytest.mark.feature("F-31")

CAREFUL: Final = Reading(repair=True, feedback=1)
FIELDS: Final[dict[str, FieldType]] = {
    "queue": EnumOf(values=("bug", "billing")),
    "score": Primitive(name="float"),
    "tags": ListOf(item=STRING),
    "note": STRING,
}
SIGNATURE = spec("message", FIELDS)
GOOD: Final = {"queue": "bug", "score": 0.5, "tags": ["a", "b"], "note": "Look at it."}
OBJECT = spec("message", {"found": Primitive(name="map")})


class Always(FakeEngine):
    """Says *answer* to whatever it is asked."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._answer = answer

    def answer(self, request: lm15.Request) -> str:
        return self._answer


def marked(**changes: object) -> str:
    told = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    parts = [
        f"[[ ## {name} ## ]]\n{value if isinstance(value, str) else json.dumps(value)}"
        for name, value in told.items()
    ]
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def written(**changes: object) -> str:
    return json.dumps({name: it for name, it in {**GOOD, **changes}.items() if it is not ...})


READ: Final[Mapping[str, str]] = {
    "as asked for": marked(),
    "prose before": f"Sure, here you are!\n\n{marked()}",
    "prose after": f"{marked()}\n\nAnything else?",
    "no end marker": marked().replace("[[ ## completed ## ]]", ""),
    "fields in another order": marked(queue=..., note=...)
    + "\n[[ ## note ## ]]\nLook at it.\n[[ ## queue ## ]]\nbug",
    "an unknown field": "[[ ## mood ## ]]\ngood\n\n" + marked(),
    "windows lines": marked().replace("\n", "\r\n"),
    "json instead": written(),
    "json in fences": f"```json\n{written()}\n```",
    "json with prose around": f"The answer is {written()} as you see.",
    "json with a comma too many": written()[:-1] + ",}",
    "json in single quotes": written().replace('"', "'"),
    "json with comments": written().replace("{", "{ // here\n", 1),
    "json in json": json.dumps({"answer": GOOD}),
    "json with an unknown key": written(mood="good"),
    "keys in another case": written().replace("queue", "Queue"),
    "marked fields in json": json.dumps({"queue": "bug"}) + "\n" + marked(),
    "bold markers": marked().replace("[[ ## ", "**[[ ## ").replace(" ## ]]", " ## ]]**"),
    "a list in fences": marked(tags='```json\n["a", "b"]\n```'),
    "a number as text": marked(score='"0.5"'),
    "an enum in quotes": marked(queue="'bug'"),
}

UNREAD: Final[Mapping[str, str]] = {
    "nothing": "",
    "white space": "  \n\t ",
    "a refusal": "I am sorry, I cannot help with that.",
    "a missing field": marked(score=...),
    "a wrong type": marked(score="high"),
    "a wrong choice": marked(queue="weather"),
    "an object for a list": marked(tags={"a": 1}),
    "json without a field": written(tags=...),
    "json that ends early": written()[: len(written()) // 2],
    "the prompt": "[[ ## queue ## ]]\n{queue}        # note: the value you produce must be one of",
    "not a number": marked(score="NaN"),
    "infinity": marked(score="Infinity"),
    "a number without end": marked(score="9" * 5_000),
    "nested without end": '{"queue": ' * 10_000,
    "lists without end": "[" * 10_000 + "]" * 10_000,
    "ten megabytes": "x" * 10_000_000,
    "ten megabytes in a field": marked(note="x" * 10_000_000),
    "megabytes of braces": "{" * 2_000_000,
}

AMBIGUOUS: Final[Mapping[str, str]] = {
    "two values for a key": written().replace('"score": 0.5', '"score": 0.5, "score": 1'),
    "two different objects": written() + written(queue="billing"),
    "a list of objects": json.dumps([GOOD, {**GOOD, "score": 1}]),
}


def ended(answer: str, signature: object = SIGNATURE) -> tuple[JsonObject | Failure, MemoryJournal]:
    journal = MemoryJournal()
    program = replace(single(signature), reading=CAREFUL)  # type: ignore[arg-type]  # a spec
    runner = DspyRunner(bound(Always(answer)))
    try:
        return runner.run(program, {"message": "It crashes."}, journal, live=True), journal
    except ProgramFailed as failed:
        return failed.failure, journal


def assert_nothing_is_poison(outcome: JsonObject | Failure, journal: MemoryJournal) -> None:
    assert not list(json_faults([*journal.requests, *journal.responses]))
    if isinstance(outcome, Failure):
        assert len(outcome.message) < 1_500
        assert not list(json_faults(outcome.model_dump(mode="json")))
    else:
        Payload.of(dict(outcome))


@pytest.mark.parametrize("name", READ)
def test_f_31_what_is_meant_is_read(name: str) -> None:
    outputs, journal = ended(READ[name])
    assert outputs == GOOD
    assert len(journal.calls) == 1
    assert_nothing_is_poison(outputs, journal)


@pytest.mark.parametrize("name", UNREAD)
def test_f_31_what_cannot_be_read_is_a_typed_failure_after_three_calls(name: str) -> None:
    failure, journal = ended(UNREAD[name])
    assert isinstance(failure, Failure)
    assert failure.code == "output.unparseable"
    assert 2 <= len(journal.calls) <= 3
    assert all(len(json.dumps(each)) < 20_000 for each in journal.requests)
    assert_nothing_is_poison(failure, journal)


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_f_31_what_has_two_meanings_is_told_to_the_model_before_dspy_takes_the_last(
    name: str,
) -> None:
    outputs, journal = ended(AMBIGUOUS[name])
    assert isinstance(outputs, dict)
    assert len(journal.calls) == 3
    assert_nothing_is_poison(outputs, journal)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("{note}", "{note}"),
        ("nul \x00 here", "nul \ufffd here"),
        ("lone \ud800 here", "lone \ufffd here"),
        ("half \udfff", "half \ufffd"),
        ("control \x07\x1b[31m", "control \x07\x1b[31m"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("{{7*7}} {0.__class__} %(x)s", "{{7*7}} {0.__class__} %(x)s"),
    ],
)
def test_f_31_a_text_is_a_text_and_what_no_database_stores_is_replaced(
    said: str, read: str
) -> None:
    outputs, journal = ended(marked(note=said))
    assert isinstance(outputs, dict)
    assert outputs["note"] == read
    assert_nothing_is_poison(outputs, journal)


@pytest.mark.parametrize(
    "said",
    ['{"a": NaN}', '{"a": Infinity}', '{"a": ' * 80 + "1" + "}" * 80, '{"a": ' + "9" * 4_500 + "}"],
)
def test_f_31_a_value_that_cannot_be_stored_is_told_to_the_model_and_then_a_failure(
    said: str,
) -> None:
    failure, journal = ended(f"[[ ## found ## ]]\n{said}", OBJECT)
    if isinstance(failure, Failure):
        assert failure.code == "output.unparseable"
        assert len(journal.calls) > 1
    assert_nothing_is_poison(failure, journal)


def test_f_31_what_is_optional_may_be_left_out() -> None:
    fields = (
        FieldSpec(name="queue", type=EnumOf(values=("bug", "billing"))),
        FieldSpec(name="note", type=OptionalOf(of=STRING)),
    )
    outputs, journal = ended("{'queue': 'bug'}", spec("message", fields))
    assert outputs == {"queue": "bug", "note": None}
    assert len(journal.calls) == 1
