"""The life of a binding, and which changes of records call it."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from domain.binding.aggregate import Binding
from domain.binding.errors import BindingIsPaused, BindingIsRemoved, InvalidBinding
from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.rules import binding_faults, mapped_inputs, mapped_outputs
from domain.binding.values import BindingSpec, Constant, FromRecord, Trigger
from domain.signature.syntax import parse
from tests.support.scenario import NOW, Scenario, told

SIGNATURE = parse("article: str, words: int = 50, tone?: str -> summary: str, keywords: list[str]")
SPEC = BindingSpec(
    resource="post",
    action=Trigger.CREATE,
    program_id=uuid4(),
    inputs={"article": FromRecord(pointer="/content"), "words": Constant(value=20)},
    outputs={"summary": "summary", "tags": "keywords"},
)
DATA: Any = {"a": {"b/c": [1, None]}, "~": 0}
CREATED = BindingCreated(name="post.summarise", spec=SPEC)
PAUSED, REMOVED = BindingPaused(reason="dear"), BindingRemoved(reason="unread")
OTHER = SPEC.model_copy(update={"action": Trigger.UPDATE, "changed": ("content",)})


@pytest.fixture
def binding() -> Iterator[Scenario[Binding]]:
    yield from told(Binding)


def test_a_binding_begins_active(binding: Scenario[Binding]) -> None:
    made = binding.when_begun(
        lambda new: Binding.create(new, "post.summarise", SPEC, signature=SIGNATURE, at=NOW)
    ).then(CREATED)
    assert (made.name, made.spec, made.status) == ("post.summarise", SPEC, "active")


def test_a_binding_that_could_not_run_is_refused(binding: Scenario[Binding]) -> None:
    bare = SPEC.model_copy(update={"outputs": {}})
    binding.when_begun(
        lambda new: Binding.create(new, "post.x", bare, signature=SIGNATURE, at=NOW)
    ).then_refused(InvalidBinding)


def test_a_binding_is_changed_paused_resumed_and_removed(binding: Scenario[Binding]) -> None:
    def live(it: Binding) -> None:
        it.change(OTHER, signature=SIGNATURE, at=NOW)
        it.pause("dear", at=NOW)
        it.resume(at=NOW)
        it.remove("unread", at=NOW)

    events = (BindingChanged(spec=OTHER), PAUSED, BindingResumed(), REMOVED)
    assert binding.given(CREATED).when(live).then(*events).spec == OTHER


def test_what_is_so_already_changes_nothing(binding: Scenario[Binding]) -> None:
    def again(it: Binding) -> None:
        it.change(SPEC, signature=SIGNATURE, at=NOW)
        it.resume(at=NOW)

    binding.given(CREATED).when(again).then()
    paused = Binding.fold(uuid4(), [CREATED, PAUSED])
    paused.pause("again", at=NOW)
    removed = Binding.fold(uuid4(), [CREATED, REMOVED])
    removed.remove("again", at=NOW)
    assert paused.collect() == removed.collect() == ()


@pytest.mark.parametrize(
    "act",
    [
        lambda it: it.change(OTHER, signature=SIGNATURE, at=NOW),
        lambda it: it.pause("dear", at=NOW),
        lambda it: it.resume(at=NOW),
    ],
    ids=["change", "pause", "resume"],
)
def test_a_removed_binding_stays_as_it_is(
    binding: Scenario[Binding], act: Callable[[Binding], object]
) -> None:
    binding.given(CREATED, REMOVED).when(act).then_refused(BindingIsRemoved)


def test_only_what_it_is_bound_to_calls_it() -> None:
    created = Binding.fold(uuid4(), [CREATED])
    assert created.is_called_by(Trigger.CREATE, ())
    assert not created.is_called_by(Trigger.UPDATE, ("content",))
    watching = Binding.fold(uuid4(), [BindingCreated(name="post.x", spec=OTHER)])
    assert watching.is_called_by(Trigger.UPDATE, ("title", "content"))
    assert not watching.is_called_by(Trigger.UPDATE, ("title",))
    for gone in PAUSED, REMOVED:
        assert not Binding.fold(uuid4(), [CREATED, gone]).is_called_by(Trigger.CREATE, ())


def test_only_an_active_binding_is_asked_once_more() -> None:
    Binding.fold(uuid4(), [CREATED]).require_active()
    for gone, refusal in ((PAUSED, BindingIsPaused), (REMOVED, BindingIsRemoved)):
        with pytest.raises(refusal):
            Binding.fold(uuid4(), [CREATED, gone]).require_active()


def faults(**changes: Any) -> dict[str, str]:
    spec = SPEC.model_copy(update=changes)
    return {fault.pointer: fault.code for fault in binding_faults(spec, SIGNATURE)}


def test_every_fault_is_named_at_once() -> None:
    assert faults() == {}
    assert faults(
        changed=("title",),
        inputs={
            "text": FromRecord(pointer="/content"),
            "tone": FromRecord(pointer="content/~2"),
            "words": Constant(value="few"),
        },
        outputs={"summary": "abstract", "": "summary", "a/b" * 99: "keywords"},
    ) == {
        "/changed": "binding.changed_nothing",
        "/inputs/text": "binding.unknown_input",
        "/inputs/tone/pointer": "binding.pointer_malformed",
        "/inputs/words/value": "value.invalid",
        "/inputs/article": "binding.input_missing",
        "/outputs/summary": "binding.unknown_output",
        "/outputs/": "binding.field_name",
        "/outputs/" + "a~1b" * 99: "binding.field_name",
    }
    assert faults(outputs={}) == {"/outputs": "binding.no_output"}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", {"in": DATA}),
        ("/a/b~1c/0", {"in": 1}),
        ("/a/b~1c/1", {"in": None}),
        ("/~0", {"in": 0}),
        ("/a/b~1c/2", {}),
        ("/a/b~1c/-", {}),
        ("/a/b~1c/01", {}),
        ("/a/x", {}),
        ("/~0/x", {}),
    ],
)
def test_inputs_are_found_by_pointer_and_left_out_where_nothing_is(
    pointer: str, expected: dict[str, Any]
) -> None:
    spec = SPEC.model_copy(update={"inputs": {"in": FromRecord(pointer=pointer)}})
    assert mapped_inputs(spec, DATA) == expected


def test_constants_and_outputs_go_where_the_binding_says() -> None:
    assert mapped_inputs(SPEC, {"content": "Long."}) == {"article": "Long.", "words": 20}
    assert mapped_outputs(SPEC, {"summary": "Short.", "keywords": ["a"], "score": 1}) == {
        "summary": "Short.",
        "tags": ["a"],
    }
    assert mapped_outputs(SPEC, {"summary": "Short."}) == {"summary": "Short.", "tags": None}
