"""The life of a program: created, tested, compiled, deployed, retired."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.program.aggregate import Program
from domain.program.errors import (
    ActionIsNotAllowed,
    InvalidGraph,
    ProgramIsArchived,
    ProgramVersionNotFound,
)
from domain.program.events import (
    ProgramArchived,
    ProgramCompiled,
    ProgramConfigured,
    ProgramCreated,
    ProgramDeployed,
    ProgramDescribed,
    ProgramEvent,
    ProgramRenamed,
    ProgramRestored,
    ProgramRetired,
    ProgramRevised,
    ProgramTestingStarted,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import single
from domain.program.values import (
    ALLOWED,
    ALLOWED_IN_ARCHIVE,
    Action,
    Evidence,
    Origin,
    Pins,
    Stage,
)
from domain.program.versions import VersionState
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
OTHER_GRAPH = single(
    ModuleSpec(
        kind=ModuleKind.CHAIN_OF_THOUGHT,
        signature=parse("question -> answer"),
        config=DEFAULTS[ModuleKind.CHAIN_OF_THOUGHT],
    )
)
STATE = PayloadRef(digest="a" * 64, size_bytes=2)
EDITS, MORE_EDITS = (PayloadRef(digest=each * 64, size_bytes=2) for each in "bc")
PINS = Pins(adapter="chat", libraries={"dspy": "3.4.1"})
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
REVISED = ProgramRevised(
    new_version=3, base_version=2, graph=OTHER_GRAPH, pins=PINS, reason="It has to think."
)
EDITED = ProgramVersionEdited(
    new_version=3,
    base_version=2,
    predictors=("predict",),
    edits=EDITS,
    pins=PINS,
    reason="Shorter.",
)
RESTORED_1 = ProgramVersionRestored(new_version=3, restored_version=1, reason="It was better.")
ARCHIVED = ProgramArchived(reason="Nobody uses it.")
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
    Action.EDIT: lambda it: it.revise(OTHER_GRAPH, PINS, "It has to think.", at=NOW),
    Action.DESCRIBE: lambda it: it.rename("other", at=NOW),
    Action.DEPLOY: lambda it: it.deploy(None, "better", (), at=NOW),
    Action.ARCHIVE: lambda it: it.archive("Nobody uses it.", at=NOW),
    Action.RESTORE: lambda it: it.restore(at=NOW),
    Action.RETIRE: lambda it: it.retire("superseded", at=NOW),
}
NOTHING_NEW = {
    (Stage.TESTING, Action.START_TESTING),
    (Stage.RETIRED, Action.RETIRE),
    *((stage, Action.RESTORE) for stage in Stage),
}


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
    assert compiled.version_state(2) == VersionState(
        GRAPH,
        STATE,
        OPTIMIZATION,
        origin=Origin.COMPILED,
        base_version=1,
        optimizer="copro",
        training_score=0.5,
    )
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


def make_by_hand(it: Program, number: int) -> None:
    """One of the three ways, by *number*."""
    if number == 0:
        it.revise(OTHER_GRAPH if it.graph == GRAPH else GRAPH, PINS, "why", at=NOW)
    elif number == 1:
        it.edit(it.latest_version, ["predict"], EDITS, PINS, "why", at=NOW)
    else:
        it.restore_version(number, "why", at=NOW)


@given(st.lists(st.tuples(st.sampled_from(Action), st.integers(0, 3)), max_size=12))
def test_a_program_folded_from_its_history_is_the_one_that_lived(
    life: list[tuple[Action, int]],
) -> None:
    lived = Program.create(ID, "qa", GRAPH, at=NOW)
    for action, number in life:
        with suppress(ActionIsNotAllowed, ProgramIsArchived, ProgramVersionNotFound):
            if action is Action.EDIT:
                make_by_hand(lived, number)
            elif action is Action.COMPILE:
                compile_it(lived, optimization_id=UUID(int=number), base_version=number)
            elif action is Action.DEPLOY:
                lived.deploy(number or None, "why", (), at=NOW)
            else:
                ACTIONS[action](lived)
    pending = lived.collect()
    folded = Program.fold(ID, (each.event for each in pending))
    assert vars(folded) == vars(lived)
    assert [each.version for each in pending] == list(range(1, lived.version + 1))


@pytest.mark.feature("PRG-02")
@pytest.mark.feature("PRG-19")
def test_prg_02_every_change_makes_exactly_one_more_version(program: Scenario[Program]) -> None:
    program.given(CREATED, COMPILED).when(
        lambda it: it.revise(OTHER_GRAPH, PINS, "It has to think.", at=NOW)
    ).then(REVISED)
    program.given(CREATED, COMPILED).when(
        lambda it: it.edit(2, ["predict"], EDITS, PINS, "Shorter.", at=NOW)
    ).then(EDITED)
    restored = (
        program.given(CREATED, COMPILED)
        .when(lambda it: it.restore_version(1, "It was better.", at=NOW))
        .then(RESTORED_1)
    )
    assert restored.latest_version == 3


@pytest.mark.feature("PRG-19")
def test_prg_19_a_restored_version_is_equal_to_the_one_it_restores() -> None:
    again = ProgramVersionRestored(new_version=4, restored_version=2, reason="Back.")
    program = Program.fold(ID, (CREATED, COMPILED, RESTORED_1, again))
    first, found, third, fourth = program.versions
    assert third[:2] == first[:2]
    assert fourth._replace(origin=found.origin, base_version=1, reason=None) == found
    assert (fourth.origin, fourth.base_version, fourth.reason) == (Origin.RESTORED, 2, "Back.")


def test_an_edited_version_keeps_the_state_of_its_base_and_has_the_edits_over_it() -> None:
    edited = Program.fold(ID, (CREATED, COMPILED, EDITED)).version_state(3)
    assert (edited.graph, edited.state, edited.edits) == (GRAPH, STATE, EDITS)
    assert (edited.origin, edited.base_version, edited.pins) == (Origin.EDITED, 2, PINS)
    assert edited.reason == "Shorter."


def test_a_revised_version_begins_without_what_was_found_before() -> None:
    program = Program.fold(ID, (CREATED, COMPILED, REVISED))
    assert program.version_state(3) == VersionState(
        OTHER_GRAPH,
        pins=PINS,
        origin=Origin.REVISED,
        base_version=2,
        reason="It has to think.",
    )
    assert program.graph == OTHER_GRAPH


def test_a_version_can_be_compiled_from_one_with_another_graph() -> None:
    program = Program.fold(ID, (CREATED, COMPILED, REVISED))
    compile_it(program, optimization_id=ANOTHER, base_version=1)
    assert (program.latest_version, program.graph) == (4, GRAPH)


def test_an_imported_version_is_of_its_base_and_of_its_own_origin() -> None:
    imported = ProgramVersionImported(
        new_version=2,
        base_version=1,
        origin=Origin.COMPILED,
        state=STATE,
        edits=EDITS,
        pins=PINS,
        optimizer="copro",
        training_score=0.5,
        reason=None,
    )
    version = Program.fold(ID, (CREATED, imported)).version_state(2)
    assert version == VersionState(
        GRAPH,
        STATE,
        None,
        EDITS,
        PINS,
        Origin.COMPILED,
        base_version=1,
        optimizer="copro",
        training_score=0.5,
    )


@pytest.mark.parametrize(
    "again",
    [
        lambda it: it.revise(GRAPH, PINS, "why", at=NOW),
        lambda it: it.edit(1, [], None, Pins(), "why", at=NOW),
        lambda it: it.restore_version(2, "why", at=NOW),
        lambda it: it.rename("qa", at=NOW),
        lambda it: it.describe(None, at=NOW),
        lambda it: it.configure({}, None, at=NOW),
    ],
)
def test_what_is_so_already_changes_nothing(program: Scenario[Program], again: Any) -> None:
    program.given(CREATED, COMPILED).when(again).then()


@pytest.mark.feature("PRG-09")
def test_prg_09_a_program_is_renamed_described_and_configured(program: Scenario[Program]) -> None:
    renamed = program.given(CREATED).when(lambda it: it.rename("answers", at=NOW))
    assert renamed.then(ProgramRenamed(name="answers", former_name="qa")).name == "answers"
    described = program.given(CREATED).when(lambda it: it.describe("Answers.", at=NOW))
    assert described.then(ProgramDescribed(description="Answers.")).description == "Answers."
    configured = (
        program.given(CREATED)
        .when(lambda it: it.configure({"owner": "ann"}, "copro", at=NOW))
        .then(ProgramConfigured(config={"owner": "ann"}, default_optimizer="copro"))
    )
    assert (configured.config, configured.default_optimizer) == ({"owner": "ann"}, "copro")


@pytest.mark.feature("PRG-09")
@pytest.mark.parametrize("action", set(Action) - set(ALLOWED_IN_ARCHIVE) - {Action.ARCHIVE})
def test_prg_09_an_archived_program_only_waits(program: Scenario[Program], action: Action) -> None:
    asked = program.given(CREATED, ARCHIVED).when(ACTIONS[action])
    if action is Action.COMPILE:  # what was found is kept; a search is refused before it begins
        asked.then(COMPILED)
        return
    refusal = asked.then_refused(ProgramIsArchived)
    assert refusal.action is action
    assert str(refusal) == (
        f"Program {ID} is archived, which does not allow {action}. Restore it first."
    )


@pytest.mark.feature("PRG-09")
def test_prg_09_restoring_brings_a_program_back_as_it_was(program: Scenario[Program]) -> None:
    archived = program.given(CREATED, DEPLOYED).when(ACTIONS[Action.ARCHIVE]).then(ARCHIVED)
    assert archived.allowed_actions == ALLOWED_IN_ARCHIVE
    restored = program.given(CREATED, DEPLOYED, ARCHIVED).when(ACTIONS[Action.RESTORE])
    back = restored.then(ProgramRestored())
    assert (back.stage, back.deployed_version) == (Stage.PRODUCTION, 1)
    assert back.allowed_actions == ALLOWED[Stage.PRODUCTION]


def test_it_is_archived_once(program: Scenario[Program]) -> None:
    program.given(CREATED, ARCHIVED).when(ACTIONS[Action.ARCHIVE]).then()


def test_an_archived_program_can_be_retired(program: Scenario[Program]) -> None:
    retired = program.given(CREATED, ARCHIVED).when(ACTIONS[Action.RETIRE]).then(RETIRED)
    assert (retired.stage, retired.is_archived) == (Stage.RETIRED, False)
