"""The life of a program: created, tested, compiled, deployed, retired."""

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.program.aggregate import Program, VersionState
from domain.program.errors import ActionIsNotAllowed, InvalidGraph, ProgramVersionNotFound
from domain.program.events import (
    ProgramCompiled,
    ProgramCreated,
    ProgramDeployed,
    ProgramEvent,
    ProgramRetired,
    ProgramTestingStarted,
)
from domain.program.graph import single
from domain.program.values import ALLOWED, Action, Evidence, Stage
from domain.signature.syntax import parse
from domain.values import PayloadRef
from tests.support.scenario import ID, NOW, Scenario, told

GRAPH = single(
    ModuleSpec(
        kind=ModuleKind.PREDICT,
        signature=parse("question -> answer"),
        config=DEFAULTS[ModuleKind.PREDICT],
    )
)
STATE = PayloadRef(digest="a" * 64, size_bytes=2)
OPTIMIZATION, ANOTHER = UUID(int=1), UUID(int=2)
EVIDENCE = Evidence(
    evaluation_id=UUID(int=3), version=2, score=0.8, metric="f1", dataset_id=ID, split="heldout"
)

CREATED = ProgramCreated(name="qa", description=None, config={}, graph=GRAPH)
TESTING = ProgramTestingStarted()
COMPILED = ProgramCompiled(
    new_version=2,
    base_version=1,
    optimization_id=OPTIMIZATION,
    optimizer="copro",
    state=STATE,
    training_score=0.5,
)
DEPLOYED = ProgramDeployed(program_version=1, previous_version=None, reason="first")
RETIRED = ProgramRetired(reason="superseded")

REACHED: dict[Stage, tuple[ProgramEvent, ...]] = {
    Stage.DRAFT: (CREATED,),
    Stage.TESTING: (CREATED, TESTING),
    Stage.PRODUCTION: (CREATED, DEPLOYED),
    Stage.RETIRED: (CREATED, RETIRED),
}


@pytest.fixture
def program() -> Iterator[Scenario[Program]]:
    yield from told(Program)


def compile_it(it: Program, *, optimization_id: UUID = OPTIMIZATION, base_version: int = 1) -> None:
    it.compile(
        base_version=base_version,
        optimization_id=optimization_id,
        optimizer="copro",
        state=STATE,
        training_score=0.5,
        at=NOW,
    )


ACTIONS = {
    Action.START_TESTING: lambda it: it.start_testing(at=NOW),
    Action.EXECUTE: lambda it: it.require(Action.EXECUTE),
    Action.EVALUATE: lambda it: it.require(Action.EVALUATE),
    Action.COMPILE: compile_it,
    Action.DEPLOY: lambda it: it.deploy(None, "better", (), at=NOW),
    Action.RETIRE: lambda it: it.retire("superseded", at=NOW),
}
NOTHING_NEW = {(Stage.TESTING, Action.START_TESTING), (Stage.RETIRED, Action.RETIRE)}


@pytest.mark.feature("PRG-02")
def test_prg_02_a_program_begins_with_version_1_as_a_draft(program: Scenario[Program]) -> None:
    created = program.when_begun(
        lambda new: Program.create(
            new, "qa", GRAPH, description="Q&A", config={"k": 1}, default_optimizer="copro", at=NOW
        )
    ).then(
        CREATED.model_copy(
            update={"description": "Q&A", "config": {"k": 1}, "default_optimizer": "copro"}
        )
    )
    assert (created.stage, created.latest_version, created.deployed_version) == (
        Stage.DRAFT,
        1,
        None,
    )
    assert (created.name, created.description, created.config) == ("qa", "Q&A", {"k": 1})
    assert (created.graph, created.default_optimizer) == (GRAPH, "copro")
    assert created.version_state(1) == VersionState(GRAPH, None, None)
    assert created.compiled_from is None


def test_a_broken_graph_makes_no_program(program: Scenario[Program]) -> None:
    broken = GRAPH.model_copy(update={"outputs": {}})
    program.when_begun(lambda new: Program.create(new, "qa", broken, at=NOW)).then_refused(
        InvalidGraph
    )


@pytest.mark.feature("PRG-03")
@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("action", Action)
def test_prg_03_every_action_in_every_stage_is_allowed_or_a_conflict(
    program: Scenario[Program], stage: Stage, action: Action
) -> None:
    asked = program.given(*REACHED[stage]).when(ACTIONS[action])
    if action in ALLOWED[stage] or (stage, action) in NOTHING_NEW:
        asked.then_accepted()
        return
    refusal = asked.then_refused(ActionIsNotAllowed)
    assert (refusal.stage, refusal.action, refusal.allowed) == (stage, action, ALLOWED[stage])
    assert f"is in stage {stage}, which does not allow {action}. Allowed: " in str(refusal)
    assert all(other in str(refusal) for other in ALLOWED[stage] or ("nothing",))


@pytest.mark.parametrize(
    ("history", "action", "stage"),
    [
        ((CREATED,), Action.START_TESTING, Stage.TESTING),
        ((CREATED,), Action.COMPILE, Stage.DRAFT),
        ((CREATED,), Action.EXECUTE, Stage.DRAFT),
        ((CREATED, TESTING), Action.COMPILE, Stage.TESTING),
        ((CREATED, TESTING), Action.START_TESTING, Stage.TESTING),
        ((CREATED, TESTING), Action.DEPLOY, Stage.PRODUCTION),
        ((CREATED, DEPLOYED), Action.COMPILE, Stage.PRODUCTION),
        ((CREATED, DEPLOYED), Action.RETIRE, Stage.RETIRED),
        ((CREATED, RETIRED), Action.RETIRE, Stage.RETIRED),
    ],
)
def test_an_action_leads_to_its_stage(
    history: tuple[ProgramEvent, ...], action: Action, stage: Stage
) -> None:
    program = Program.fold(ID, history)
    ACTIONS[action](program)
    assert program.stage is stage
    assert program.allowed_actions == ALLOWED[stage]


@pytest.mark.feature("PRG-02")
@pytest.mark.feature("PRG-06")
def test_prg_02_compiling_makes_the_next_version(program: Scenario[Program]) -> None:
    compiled = program.given(CREATED).when(compile_it).then(COMPILED)
    assert compiled.latest_version == 2
    assert compiled.compiled_from == OPTIMIZATION
    assert compiled.version_state(1) == VersionState(GRAPH, None, None)
    assert compiled.version_state(2) == VersionState(GRAPH, STATE, OPTIMIZATION)
    assert compiled.graph == GRAPH


def test_a_version_can_be_compiled_from_any_earlier_one(program: Scenario[Program]) -> None:
    program.given(CREATED, COMPILED).when(lambda it: compile_it(it, optimization_id=ANOTHER)).then(
        COMPILED.model_copy(update={"new_version": 3, "optimization_id": ANOTHER})
    )


def test_the_same_optimization_is_adopted_once(program: Scenario[Program]) -> None:
    program.given(CREATED, COMPILED, RETIRED).when(compile_it).then()


@pytest.mark.parametrize("missing", [0, 2, -1])
def test_an_unknown_version_is_not_found(program: Scenario[Program], missing: int) -> None:
    refusal = (
        program.given(CREATED)
        .when(lambda it: compile_it(it, base_version=missing))
        .then_refused(ProgramVersionNotFound)
    )
    assert (refusal.program_version, refusal.latest) == (missing, 1)


@pytest.mark.feature("PRG-10")
def test_prg_10_deploying_pins_a_version_with_its_evidence(program: Scenario[Program]) -> None:
    deployed = (
        program.given(CREATED, COMPILED, DEPLOYED)
        .when(lambda it: it.deploy(2, "better", (EVIDENCE,), at=NOW))
        .then(
            ProgramDeployed(
                program_version=2, previous_version=1, reason="better", evidence=(EVIDENCE,)
            )
        )
    )
    assert (deployed.stage, deployed.deployed_version) == (Stage.PRODUCTION, 2)


@pytest.mark.feature("PRG-10")
def test_prg_10_without_a_version_the_latest_is_deployed(program: Scenario[Program]) -> None:
    program.given(CREATED, COMPILED).when(lambda it: it.deploy(None, "better", (), at=NOW)).then(
        ProgramDeployed(program_version=2, previous_version=None, reason="better")
    )


def test_deploying_the_live_version_changes_nothing(program: Scenario[Program]) -> None:
    program.given(CREATED, DEPLOYED).when(lambda it: it.deploy(1, "again", (), at=NOW)).then()


def test_an_unknown_version_is_not_deployed(program: Scenario[Program]) -> None:
    program.given(CREATED).when(lambda it: it.deploy(2, "x", (), at=NOW)).then_refused(
        ProgramVersionNotFound
    )


def test_retiring_records_the_reason(program: Scenario[Program]) -> None:
    program.given(CREATED).when(lambda it: it.retire("superseded", at=NOW)).then(RETIRED)


def test_testing_starts_once(program: Scenario[Program]) -> None:
    program.given(CREATED).when(lambda it: it.start_testing(at=NOW)).then(TESTING)


def test_a_repeated_start_of_testing_changes_nothing(program: Scenario[Program]) -> None:
    program.given(CREATED, TESTING).when(lambda it: it.start_testing(at=NOW)).then()


@given(st.lists(st.tuples(st.sampled_from(Action), st.integers(0, 3)), max_size=12))
def test_a_program_folded_from_its_history_is_the_one_that_lived(
    life: list[tuple[Action, int]],
) -> None:
    lived = Program.create(ID, "qa", GRAPH, at=NOW)
    for action, number in life:
        with suppress(ActionIsNotAllowed, ProgramVersionNotFound):
            if action is Action.COMPILE:
                compile_it(lived, optimization_id=UUID(int=number), base_version=number)
            elif action is Action.DEPLOY:
                lived.deploy(number or None, "why", (), at=NOW)
            else:
                ACTIONS[action](lived)
    pending = lived.collect()
    folded = Program.fold(ID, (each.event for each in pending))
    assert vars(folded) == vars(lived)
    assert [each.version for each in pending] == list(range(1, lived.version + 1))
