"""Binding programs to changes of records: what is refused, and what may be changed later."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from application.bindings import (
    ChangeBinding,
    PauseBinding,
    RemoveBinding,
    ResumeBinding,
)
from application.errors import NameIsTaken
from application.records import UpdateRecord
from domain.binding.errors import InvalidBinding, TooManyBindings
from domain.binding.events import BindingCreated
from domain.binding.rules import MAX_BINDINGS
from domain.binding.values import FromRecord, Trigger
from domain.errors import InvalidError, StaleVersion
from domain.program.errors import ActionIsNotAllowed
from tests.support.bound import BoundWorld
from tests.support.memory import NOW

INPUTS = {"message": FromRecord(pointer="/text")}


@pytest.fixture
def world() -> BoundWorld:
    return BoundWorld()


def called(world: BoundWorld, record_id: UUID) -> list[UUID]:
    """The bindings that a record has called and that have not answered."""
    return [each.call.binding_id for each in world.record(record_id).open.values()]


def test_a_binding_is_called_by_its_resource_and_its_name(world: BoundWorld) -> None:
    binding_id = world.bind("sort")
    (created,) = world.events(binding_id)
    assert isinstance(created, BindingCreated)
    assert created.name == "ticket.sort"
    with pytest.raises(NameIsTaken):
        world.bind("sort")
    world.bind("sort", resource="post")


def test_a_program_that_is_not_there_is_refused_with_a_pointer(world: BoundWorld) -> None:
    for changes, pointer in (
        ({"program_id": uuid4()}, "/program_id"),
        ({"program_version": 7}, "/program_version"),
    ):
        with pytest.raises(InvalidError) as refused:
            world.bind(**changes)
        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
            (pointer, "reference.unknown")
        ]


def test_a_program_that_may_not_run_is_refused(world: BoundWorld) -> None:
    program_id = world.a_program()
    world.change_program(program_id, lambda it: it.retire("old", at=NOW))
    with pytest.raises(ActionIsNotAllowed):
        world.bind(program_id=program_id)


def test_every_fault_of_a_binding_is_named_at_once(world: BoundWorld) -> None:
    with pytest.raises(InvalidBinding) as refused:
        world.bind(inputs={"text": FromRecord(pointer="/text")}, outputs={"queue": "bin"})
    assert [fault.pointer for fault in refused.value.faults] == [
        "/inputs/text",
        "/inputs/message",
        "/outputs/queue",
    ]


def test_a_resource_has_so_many_bindings_that_are_not_removed(world: BoundWorld) -> None:
    program_id = world.a_program()
    made = [world.bind(f"sort-{n}", program_id=program_id) for n in range(MAX_BINDINGS)]
    with pytest.raises(TooManyBindings, match="Remove one"):
        world.bind("one-more", program_id=program_id)
    world.do(RemoveBinding(binding_id=made[0]))
    world.bind("one-more", program_id=program_id)


def test_a_binding_made_before_a_record_is_called_and_one_made_later_is_not(
    world: BoundWorld,
) -> None:
    first = world.bind("first")
    record_id = world.a_record()
    world.bind("second")
    assert called(world, record_id) == [first]
    world.bind("third", resource="ticket-2")
    assert called(world, world.a_record())[0] == first


def test_a_paused_or_removed_binding_is_not_called(world: BoundWorld) -> None:
    binding_id = world.bind()
    world.do(PauseBinding(binding_id=binding_id, reason="dear"))
    assert called(world, world.a_record()) == []
    world.do(ResumeBinding(binding_id=binding_id))
    assert called(world, world.a_record()) == [binding_id]
    world.do(RemoveBinding(binding_id=binding_id))
    assert called(world, world.a_record()) == []


def test_an_update_calls_what_is_bound_to_a_field_that_changed(world: BoundWorld) -> None:
    binding_id = world.bind(action=Trigger.UPDATE, changed=("text",))
    record_id = world.a_record()
    assert called(world, record_id) == []
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"note": "?"}))
    assert called(world, record_id) == []
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"text": "It burns."}))
    assert called(world, record_id) == [binding_id]


def test_a_binding_is_changed_for_later_changes_alone(world: BoundWorld) -> None:
    binding_id = world.bind()
    change: dict[str, Any] = {
        "binding_id": binding_id,
        "program_id": world.a_program(),
        "inputs": INPUTS,
        "outputs": {"bin": "queue"},
    }
    with pytest.raises(StaleVersion):
        world.do(ChangeBinding(**change, expected_version=4))
    record_id = world.a_record()
    world.do(ChangeBinding(**change))
    world.work()
    assert world.data(record_id) == {"text": "It crashes.", "queue": "bug"}
    later = world.a_record()
    world.work()
    assert world.data(later) == {"text": "It crashes.", "bin": "bug"}
