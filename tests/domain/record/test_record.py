"""The life of a record: what it holds, and that every call of it ends once."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from domain.record.aggregate import Record
from domain.record.errors import CallHasNotFailed, RecordIsDeleted
from domain.record.events import (
    RecordCallFailed,
    RecordCallRepeated,
    RecordCreated,
    RecordDeleted,
    RecordUpdated,
)
from domain.record.rules import call_of, chain_ended
from domain.record.values import Answer, Call
from domain.values import Failure
from tests.support.runs import ref
from tests.support.scenario import ID, NOW, Scenario, told

CALL = Call(execution_id=uuid4(), binding_id=uuid4(), binding_version=1)
NEXT = Call(execution_id=uuid4(), binding_id=uuid4(), binding_version=1, chain=(CALL.binding_id,))
ANSWER = Answer(
    execution_id=CALL.execution_id,
    binding_id=CALL.binding_id,
    program_id=uuid4(),
    program_version=1,
)
FAILURE = Failure(code="program.failed", message="It failed.")
CREATED = RecordCreated(resource="post", data=ref("first"))
CALLING = RecordCreated(resource="post", data=ref("first"), calls=(CALL,))
ANSWERED = RecordUpdated(data=ref("second"), changed=("summary",), calls=(NEXT,), answer=ANSWER)
FAILED = RecordCallFailed(call=CALL, failure=FAILURE)
DELETED = RecordDeleted(reason="spam")


@pytest.fixture
def record() -> Iterator[Scenario[Record]]:
    yield from told(Record)


def test_a_record_begins_with_what_it_holds_and_calls(record: Scenario[Record]) -> None:
    begun = record.when_begun(
        lambda new: Record.create(new, resource="post", data=ref("first"), calls=[CALL], at=NOW)
    ).then(CALLING)
    assert (begun.resource, begun.data, begun.is_deleted) == ("post", ref("first"), False)
    assert [(each.call, each.data) for each in begun.open.values()] == [(CALL, ref("first"))]


def test_what_changed_is_told_by_field(record: Scenario[Record]) -> None:
    updated = RecordUpdated(data=ref("second"), changed=("title",), calls=(CALL,))
    held = (
        record.given(CREATED)
        .when(lambda it: it.update(ref("second"), ["title"], calls=[CALL], at=NOW))
        .then(updated)
    )
    assert (held.data, list(held.open)) == (ref("second"), [CALL.execution_id])


def test_an_update_that_changes_nothing_is_no_event(record: Scenario[Record]) -> None:
    record.given(CREATED).when(lambda it: it.update(ref("first"), [], calls=[], at=NOW)).then()


def test_the_answer_to_a_call_is_held_and_may_call_in_turn(record: Scenario[Record]) -> None:
    held = (
        record.given(CALLING)
        .when(lambda it: it.answer(ANSWER, ref("second"), ["summary"], calls=[NEXT], at=NOW))
        .then(ANSWERED)
    )
    assert list(held.open) == [NEXT.execution_id]


def test_an_answer_that_changes_nothing_still_ends_its_call(record: Scenario[Record]) -> None:
    same = RecordUpdated(data=ref("first"), changed=(), answer=ANSWER)
    held = (
        record.given(CALLING)
        .when(lambda it: it.answer(ANSWER, ref("first"), [], calls=[], at=NOW))
        .then(same)
    )
    assert held.open == {}


@pytest.mark.parametrize("ended", [ANSWERED, FAILED], ids=["answered", "failed"])
def test_a_call_that_ended_is_not_answered_or_failed_again(
    record: Scenario[Record], ended: RecordUpdated | RecordCallFailed
) -> None:
    def again(it: Record) -> None:
        it.answer(ANSWER, ref("third"), ["summary"], calls=[], at=NOW)
        it.fail_call(CALL.execution_id, FAILURE, at=NOW)

    record.given(CALLING, ended).when(again).then()


def test_a_call_may_fail(record: Scenario[Record]) -> None:
    held = (
        record.given(CALLING)
        .when(lambda it: it.fail_call(CALL.execution_id, FAILURE, at=NOW))
        .then(FAILED)
    )
    assert (held.open, held.data) == ({}, ref("first"))


def test_the_end_of_a_chain_is_told(record: Scenario[Record]) -> None:
    ended = RecordCallFailed(call=NEXT, failure=chain_ended(NEXT))
    record.given(CREATED).when(lambda it: it.end_chains([NEXT], at=NOW)).then(ended)
    assert ended.failure.code == "record.chain_ended"


def test_what_failed_is_called_once_more_on_what_is_held_now(record: Scenario[Record]) -> None:
    patched = RecordUpdated(data=ref("second"), changed=("title",))
    again = call_of(ID, 4, CALL.binding_id, 3)
    held = (
        record.given(CALLING, FAILED, patched)
        .when(lambda it: it.repeat_call(CALL.execution_id, binding_version=3, at=NOW))
        .then(RecordCallRepeated(failed=CALL.execution_id, call=again))
    )
    assert [(each.call, each.data) for each in held.open.values()] == [(again, ref("second"))]
    assert held.failed == {}


def test_only_what_failed_is_called_once_more_and_only_once(record: Scenario[Record]) -> None:
    def twice(it: Record) -> None:
        it.repeat_call(CALL.execution_id, binding_version=1, at=NOW)

    record.given(CALLING).when(twice).then_refused(CallHasNotFailed)
    again = RecordCallRepeated(failed=CALL.execution_id, call=call_of(ID, 3, CALL.binding_id, 1))
    repeated = Record.fold(ID, [CALLING, FAILED, again])
    with pytest.raises(CallHasNotFailed, match="Read it again"):
        twice(repeated)
    with pytest.raises(RecordIsDeleted):
        twice(Record.fold(ID, [CALLING, FAILED, DELETED]))


def test_a_deleted_record_waits_for_nothing_and_changes_no_more(record: Scenario[Record]) -> None:
    gone = Failure(code="record.deleted", message="The record was deleted before the answer came.")
    deleted = (
        record.given(CALLING)
        .when(lambda it: it.delete("spam", at=NOW))
        .then(RecordCallFailed(call=CALL, failure=gone), DELETED)
    )
    with pytest.raises(RecordIsDeleted, match="Create another one"):
        deleted.update(ref("second"), ["title"], calls=[], at=NOW)


def test_deleting_twice_changes_nothing(record: Scenario[Record]) -> None:
    record.given(CREATED, DELETED).when(lambda it: it.delete("again", at=NOW)).then()


def test_a_record_is_found_as_it_was_told() -> None:
    assert Record.fold(ID, [CALLING, ANSWERED]).data == ref("second")
