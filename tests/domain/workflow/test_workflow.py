"""The life of a workflow's definition, and every fault that is found in one at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import JsonValue

from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not
from domain.signature.fields import FieldSpec
from domain.signature.types import INTEGER
from domain.workflow.aggregate import Workflow
from domain.workflow.errors import InvalidWorkflow, WorkflowIsRetired, WorkflowVersionNotFound
from domain.workflow.events import WorkflowDefined, WorkflowRetired, WorkflowRevised
from domain.workflow.rules import MAX_STEPS, workflow_faults
from domain.workflow.values import RESULT, Fixed, RecordAction, Taken, WorkflowSpec, gives
from domain.workflow.wiring import given_to, holds
from tests.support.scenario import NOW, Scenario, told
from tests.support.workflows import MESSAGE, calling, classifying, is_queue, order, step, three

DEFINED = WorkflowDefined(name="orders", spec=order())
REVISED = WorkflowRevised(new_version=2, spec=three())
RETIRED = WorkflowRetired(reason="superseded")


@pytest.fixture
def workflow() -> Iterator[Scenario[Workflow]]:
    yield from told(Workflow)


def test_a_workflow_is_defined_under_a_name(workflow: Scenario[Workflow]) -> None:
    made = workflow.when_begun(lambda new: Workflow.define(new, "orders", order(), at=NOW))
    defined = made.then(DEFINED)
    assert (defined.name, defined.latest_version, defined.spec_of(1)) == ("orders", 1, order())


def test_a_revision_is_another_version(workflow: Scenario[Workflow]) -> None:
    revised = workflow.given(DEFINED).when(lambda it: it.revise(three(), at=NOW)).then(REVISED)
    assert [revised.spec_of(1), revised.spec_of(2)] == [order(), three()]


def test_the_same_again_changes_nothing(workflow: Scenario[Workflow]) -> None:
    workflow.given(DEFINED).when(lambda it: it.revise(order(), at=NOW)).then()


def test_a_workflow_is_retired_once(workflow: Scenario[Workflow]) -> None:
    workflow.given(DEFINED, RETIRED).when(lambda it: it.retire("again", at=NOW)).then()


def test_a_retired_workflow_takes_no_versions(workflow: Scenario[Workflow]) -> None:
    retired = workflow.given(DEFINED).when(lambda it: it.retire("superseded", at=NOW)).then(RETIRED)
    with pytest.raises(WorkflowIsRetired, match="start one in service"):
        retired.revise(three(), at=NOW)


@pytest.mark.parametrize("number", [0, 2])
def test_a_version_that_is_not_there_is_not_found(
    workflow: Scenario[Workflow], number: int
) -> None:
    error = (
        workflow.given(DEFINED)
        .when(lambda it: it.spec_of(number))
        .then_refused(WorkflowVersionNotFound)
    )
    assert "Choose one of 1 to 1" in str(error)


def test_what_could_not_be_carried_out_is_refused(workflow: Scenario[Workflow]) -> None:
    wrong = order(inputs=())
    refused = workflow.when_begun(lambda new: Workflow.define(new, "orders", wrong, at=NOW))
    assert refused.then_refused(InvalidWorkflow).faults


QUEUE = Taken(step="classify", field="queue")
NUMBER = FieldSpec(name="number", type=INTEGER)


def only(*steps: Any, inputs: tuple[FieldSpec, ...] = (MESSAGE,)) -> WorkflowSpec:
    return WorkflowSpec(inputs=inputs, steps=steps)


def classified(*steps: Any) -> WorkflowSpec:
    return only(step("classify", classifying()), *steps)


WRONG: dict[str, tuple[WorkflowSpec, list[tuple[str, str]]]] = {
    "an input with a bad name": (
        only(step("a", calling("go")), inputs=(FieldSpec(name="not ok"),)),
        [("/inputs/0/name", "name.invalid")],
    ),
    "too many steps": (
        only(*(step(f"s{number}", calling("go")) for number in range(MAX_STEPS + 1))),
        [("/steps", "workflow.too_long")],
    ),
    "a name twice": (
        only(step("a", calling("go")), step("a", calling("go"))),
        [("/steps/1/name", "workflow.repeated")],
    ),
    "no source": (
        only(step("a", calling("go", to=Taken(field="message")).model_copy(update={"inputs": {}}))),
        [("/steps/0/do/inputs", "workflow.unbound")],
    ),
    "an input that nothing takes": (
        only(step("a", classifying().model_copy(update={"inputs": {
            "message": Taken(field="message"), "hint": Fixed(value=1)}}))),
        [("/steps/0/do/inputs/hint", "workflow.unknown_field")],
    ),
    "an unknown input": (
        only(step("a", calling("go", to=Taken(field="msg")))),
        [("/steps/0/do/inputs/to/field", "workflow.unknown_field")],
    ),
    "a step that is not there": (
        only(step("a", calling("go", to=Taken(step="b", field="x")))),
        [("/steps/0/do/inputs/to/step", "workflow.unknown_step")],
    ),
    "a later step": (
        only(
            step("a", calling("go", to=Taken(step="b", field="result"))), step("b", calling("go"))
        ),
        [("/steps/0/do/inputs/to/step", "workflow.unknown_step")],
    ),
    "a field that a step does not give": (
        classified(step("b", calling("go", to=Taken(step="classify", field="x")))),
        [("/steps/1/do/inputs/to/field", "workflow.unknown_field")],
    ),
    "another type": (
        only(step("a", classifying()), inputs=(NUMBER.model_copy(update={"name": "message"}),)),
        [("/steps/0/do/inputs/message", "workflow.type_mismatch")],
    ),
    "what may be skipped": (
        classified(
            step("b", classifying(), when=is_queue("bug")),
            step("c", calling("go", to=Taken(step="b", field="queue"))),
        ),
        [("/steps/2/do/inputs/to", "workflow.type_mismatch")],
    ),
    "a value of another type": (
        only(step("a", calling("go", to=Fixed(value=[1])))),
        [("/steps/0/do/inputs/to/value", "workflow.value")],
    ),
    "a value that cannot be stored": (
        only(step("a", calling("go", to=Fixed(value="a\x00b")))),
        [("/steps/0/do/inputs/to/value", "text.unsafe")],
    ),
    "a condition on what is not there": (
        classified(step("b", calling("go"), when=Check(op="true", field="b.result"))),
        [("/steps/1/when/field", "graph.unknown_field")],
    ),
    "a tool that could not be called, with promises that could not be kept": (
        only(step("a", calling("class").model_copy(update={"promises": (FieldSpec(name="1"),)}))),
        [
            ("/steps/0/do/tool/name", "name.reserved"),
            ("/steps/0/do/promises/0/name", "name.invalid"),
        ],
    ),
    "a record of which nothing is set": (
        only(step("a", RecordAction(resource="order", inputs={"record_id": Fixed(value="x")}))),
        [("/steps/0/do/inputs", "workflow.unbound")],
    ),
    "a record that is not named": (
        only(step("a", RecordAction(resource="order", inputs={"status": Fixed(value=1)}))),
        [("/steps/0/do/inputs", "workflow.unbound")],
    ),
    "an undo on what another step gives": (
        only(step("a", calling("go"), undo=calling("back", of=Taken(step="b", field="result")))),
        [("/steps/0/undo/inputs/of/step", "workflow.unknown_step")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("spec_and_faults", WRONG.values(), ids=WRONG.keys())
def test_every_fault_is_named_with_its_place(
    spec_and_faults: tuple[WorkflowSpec, list[tuple[str, str]]],
) -> None:
    spec, expected = spec_and_faults
    assert [(it.pointer, it.code) for it in workflow_faults(spec)] == expected


def test_all_faults_are_named_at_once() -> None:
    faults = [*workflow_faults(only(step("a", calling("go", to=Taken(field="x"))), inputs=()))]
    assert faults[0].message.endswith("It has none.")
    several = only(
        step("a", calling("go", to=Taken(field="x"))), step("a", calling("go", to=Fixed(value=1)))
    )
    assert len([*workflow_faults(several)]) == 3


def test_a_step_under_the_same_condition_may_take_what_may_be_skipped() -> None:
    bug = is_queue("bug")
    first = step("b", classifying(), when=bug)
    then = step("c", calling("go", to=Taken(step="b", field="queue")), when=bug)
    assert [*workflow_faults(classified(first, then))] == []


def test_an_undo_is_told_what_its_own_step_gave() -> None:
    assert [*workflow_faults(order())] == []


def test_a_tool_of_which_nothing_is_promised_gives_one_result() -> None:
    assert gives(calling("go")) == (RESULT,)
    promised = calling("go").model_copy(update={"promises": (NUMBER,)})
    assert gives(promised) == (NUMBER,)


def test_values_come_from_the_inputs_from_steps_or_are_fixed() -> None:
    action = calling(
        "go", a=Taken(field="message"), b=QUEUE, c=Fixed(value=3), d=Taken(step="x", field="y")
    )
    given = given_to(action, {"message": "Hi"}, {"classify": {"queue": "bug"}})
    assert given == {"a": "Hi", "b": "bug", "c": 3, "d": None}


HOLDS: list[tuple[Condition, bool]] = [
    (is_queue("bug"), True),
    (Comparison(op="ne", field="classify.queue", value="bug"), False),
    (Comparison(op="in", field="classify.queue", value=["bug", "howto"]), True),
    (Comparison(op="contains", field="message", value="rash"), True),
    (Comparison(op="lt", field="size", value=3), True),
    (Comparison(op="ge", field="size", value=3), False),
    (Check(op="true", field="urgent"), True),
    (Check(op="empty", field="message"), False),
    (Check(op="empty", field="skipped.result"), True),
    (AllOf(op="all", of=(is_queue("bug"), Check(op="true", field="urgent"))), True),
    (AnyOf(op="any", of=(is_queue("howto"), is_queue("billing"))), False),
    (Not(op="not", of=is_queue("howto")), True),
]


@pytest.mark.parametrize(("condition", "expected"), HOLDS)
def test_a_condition_asks_inputs_and_what_steps_gave(condition: Condition, expected: bool) -> None:
    inputs: dict[str, JsonValue] = {"message": "It crashes", "size": 2, "urgent": True}
    assert holds(condition, inputs, {"classify": {"queue": "bug"}}) is expected
