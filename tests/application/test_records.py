"""Creating, changing and deleting records."""

from uuid import uuid4

import pytest

from application.errors import AggregateNotFound, ConcurrentWrite
from application.records import CreateRecord, DeleteRecord, UpdateRecord
from domain.errors import StaleVersion
from domain.record.aggregate import Record
from domain.record.errors import InvalidRecord, RecordIsDeleted
from domain.record.events import RecordCreated, RecordDeleted, RecordUpdated
from domain.record.rules import MAX_DATA_BYTES, MAX_FIELDS
from tests.support.bound import BoundWorld


@pytest.fixture
def world() -> BoundWorld:
    return BoundWorld()


def test_a_record_holds_what_it_was_given(world: BoundWorld) -> None:
    record_id = world.a_record({"text": "It crashes.", "tags": ["a"]})
    (created,) = world.events(record_id)
    assert isinstance(created, RecordCreated)
    assert (created.resource, created.calls) == ("ticket", ())
    assert world.data(record_id) == {"text": "It crashes.", "tags": ["a"]}


def test_a_patch_changes_what_it_names_and_null_takes_a_field_away(world: BoundWorld) -> None:
    record_id = world.a_record({"text": "It crashes.", "tags": {"a": 1, "b": 2}, "old": True})
    patch = {"tags": {"b": None}, "old": None, "text": "It crashes."}
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch=patch))
    updated = world.events(record_id)[1]
    assert isinstance(updated, RecordUpdated)
    assert updated.changed == ("old", "tags")
    assert world.data(record_id) == {"text": "It crashes.", "tags": {"a": 1}}


def test_a_patch_that_changes_nothing_is_no_event(world: BoundWorld) -> None:
    record_id = world.a_record()
    same = UpdateRecord(record_id=record_id, resource="ticket", patch={"text": "It crashes."})
    assert world.do(same).position == 0


def test_a_stale_change_is_refused(world: BoundWorld) -> None:
    record_id = world.a_record()
    for command in (
        UpdateRecord(record_id=record_id, resource="ticket", patch={"a": 1}, expected_version=2),
        DeleteRecord(record_id=record_id, resource="ticket", expected_version=2),
    ):
        with pytest.raises(StaleVersion):
            world.do(command)


def test_a_record_of_something_else_is_not_found(world: BoundWorld) -> None:
    record_id = world.a_record()
    for command in (
        UpdateRecord(record_id=record_id, resource="post", patch={"a": 1}),
        DeleteRecord(record_id=record_id, resource="post"),
    ):
        with pytest.raises(AggregateNotFound, match="No post has the id"):
            world.do(command)


def test_a_deleted_record_changes_no_more(world: BoundWorld) -> None:
    record_id = world.a_record()
    gone = DeleteRecord(record_id=record_id, resource="ticket", reason="spam")
    world.do(gone)
    assert world.do(gone).position == 0
    assert world.events(record_id)[1:] == [RecordDeleted(reason="spam")]
    with pytest.raises(RecordIsDeleted):
        world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"a": 1}))


def test_what_cannot_be_kept_is_refused_with_every_fault(world: BoundWorld) -> None:
    many = {f"f{n}": n for n in range(MAX_FIELDS + 1)}
    with pytest.raises(InvalidRecord) as refused:
        world.do(CreateRecord(record_id=uuid4(), resource="ticket", data=many))
    assert [fault.pointer for fault in refused.value.faults] == ["/data"]
    record_id = world.a_record({"text": "x" * (MAX_DATA_BYTES // 2)})
    patch = {"more": "x" * (MAX_DATA_BYTES // 2)}
    with pytest.raises(InvalidRecord, match="Keep less in it"):
        world.do(UpdateRecord(record_id=record_id, resource="ticket", patch=patch))


def test_a_change_is_decided_again_when_somebody_else_was_first(world: BoundWorld) -> None:
    record_id = world.a_record()
    others = iter([{"first": 1}, {"second": 2}])

    def meanwhile(_: Record) -> None:
        if (patch := next(others, None)) is not None:
            world.do(UpdateRecord(record_id=record_id, resource="ticket", patch=patch))

    world.records.before_save = meanwhile
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"mine": 3}))
    assert world.data(record_id) == {"text": "It crashes.", "first": 1, "second": 2, "mine": 3}


def test_who_is_never_first_is_told(world: BoundWorld) -> None:
    record_id, turns = world.a_record(), iter(range(99))

    def always(record: Record) -> None:
        world.records.before_save = None
        patch = {"other": next(turns)}
        world.do(UpdateRecord(record_id=record.id, resource="ticket", patch=patch))
        world.records.before_save = always

    world.records.before_save = always
    with pytest.raises(ConcurrentWrite):
        world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"mine": 3}))
