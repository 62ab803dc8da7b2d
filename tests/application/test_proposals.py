"""What an optimizer found waits for somebody to approve it."""

from uuid import UUID, uuid4

import pytest

from application.context import within
from application.datasets import CreateDataset, LoadRows, RemoveRow
from application.optimizations import (
    AdoptOptimization,
    ApproveOptimization,
    RejectOptimization,
    RequestOptimization,
    RunOptimization,
    proposed,
)
from application.payloads import Payload
from domain.dataset.values import Split
from domain.errors import StaleVersion
from domain.optimization.errors import NothingIsProposed
from domain.optimization.events import OptimizationCompleted, OptimizationRequested
from domain.optimization.values import Adoption, HeldOut
from domain.program.errors import ActionIsNotAllowed
from domain.program.events import ProgramCompiled
from domain.program.values import Origin, Pins
from domain.values import Reading
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, World

TRAIN = ({"message": "crash", "queue": "bug"}, {"message": "refund", "queue": "billing"})
HELDOUT = ({"message": "freeze", "queue": "bug"}, {"message": "invoice", "queue": "billing"})


@pytest.fixture
def world() -> World:
    return World()


class CarefulWorld(World):
    reading = Reading(repair=True, feedback=2)


def loaded(world: World) -> UUID:
    dataset_id = uuid4()
    world.do(CreateDataset(dataset_id=dataset_id, name="tickets"))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=TRAIN))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.HELDOUT, rows=HELDOUT))
    return dataset_id


@pytest.fixture
def tickets(world: World) -> UUID:
    return loaded(world)


@pytest.fixture
def program(world: World) -> UUID:
    return world.a_program()


def request(
    world: World, program: UUID, tickets: UUID, adopt: Adoption = Adoption.APPROVAL
) -> UUID:
    optimization_id = uuid4()
    world.do(
        RequestOptimization(
            optimization_id=optimization_id,
            program_id=program,
            dataset_id=tickets,
            metric="exact_match",
            adopt=adopt,
        )
    )
    return optimization_id


def run(world: World, optimization_id: UUID) -> OptimizationCompleted:
    world.do(RunOptimization(optimization_id=optimization_id))
    completed = world.events(optimization_id)[-1]
    assert isinstance(completed, OptimizationCompleted)
    return completed


@pytest.mark.feature("PRG-20")
def test_prg_20_with_approval_on_the_program_is_unchanged_until_somebody_approved(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets)
    world.react()
    world.react()
    assert [event.TOPIC for event in world.events(program)] == ["program.created"]
    world.do(ApproveOptimization(optimization_id=optimization_id, reason="It is better."))
    world.react()
    created, compiled = world.events(program)
    assert isinstance(compiled, ProgramCompiled)
    assert (compiled.new_version, compiled.optimization_id) == (2, optimization_id)
    world.react()
    assert world.events(program) == [created, compiled]


@pytest.mark.feature("PRG-20")
def test_prg_20_what_was_rejected_never_becomes_a_version(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets)
    world.react()
    world.do(RejectOptimization(optimization_id=optimization_id, reason="It is worse."))
    world.react()
    receipt = world.do(AdoptOptimization(optimization_id=optimization_id))
    assert (receipt.id, receipt.position) == (optimization_id, 0)
    assert len(world.events(program)) == 1


@pytest.mark.feature("PRG-20")
def test_prg_20_a_proposal_is_scored_on_rows_it_did_not_learn_from(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets)
    wish = world.events(optimization_id)[0]
    assert isinstance(wish, OptimizationRequested)
    assert (wish.dataset_version, wish.adopt) == (3, "approval")
    world.do(RemoveRow(dataset_id=tickets, row="3-2"))  # later than the wish
    completed = run(world, optimization_id)
    assert completed.heldout == HeldOut(rows=2, baseline=0.5, score=0.5)


def test_nobody_pays_for_scores_that_nobody_asked_for(
    world: World, program: UUID, tickets: UUID
) -> None:
    auto = run(world, request(world, program, tickets, Adoption.AUTO))
    assert (auto.heldout, auto.spend.calls) == (None, 2)
    for row in ("3-1", "3-2"):
        world.do(RemoveRow(dataset_id=tickets, row=row))
    assert run(world, request(world, program, tickets)).heldout is None


@pytest.mark.feature("PRG-20")
def test_prg_20_a_proposal_is_the_version_that_would_come_of_it(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets)
    run(world, optimization_id)
    with within(CONTEXT):
        optimization = world.optimizations.get(optimization_id)
        version = proposed(world.programs.get(program), optimization)
    assert (version.origin, version.base_version) == (Origin.COMPILED, 1)
    assert version.state == Payload.of({"trial": 2}).ref
    assert version.pins == Pins(libraries={"dspy": "3.4.1"})
    world.do(ApproveOptimization(optimization_id=optimization_id))
    world.do(AdoptOptimization(optimization_id=optimization_id))
    with within(CONTEXT):
        assert world.programs.get(program).version_state(2) == version


def test_what_becomes_a_version_by_itself_is_no_proposal(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets, Adoption.AUTO)
    run(world, optimization_id)
    with within(CONTEXT), pytest.raises(NothingIsProposed):
        proposed(world.programs.get(program), world.optimizations.get(optimization_id))


def test_a_program_that_was_retired_meanwhile_takes_no_approval(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets)
    run(world, optimization_id)
    world.change_program(program, lambda it: it.retire("old", at=NOW))
    with pytest.raises(ActionIsNotAllowed):
        world.do(ApproveOptimization(optimization_id=optimization_id))


def test_a_decision_on_an_older_state_is_refused(
    world: World, program: UUID, tickets: UUID
) -> None:
    optimization_id = request(world, program, tickets)
    run(world, optimization_id)
    for command in (ApproveOptimization, RejectOptimization):
        with pytest.raises(StaleVersion):
            world.do(command(optimization_id=optimization_id, expected_version=1))


def test_both_versions_are_judged_with_answers_read_as_executions_read_them() -> None:
    careful = CarefulWorld()
    dataset_id = loaded(careful)
    run(careful, request(careful, careful.a_program(), dataset_id))
    assert careful.evaluator.read == [careful.reading, careful.reading]
