"""Answers that other runs were given: named on record, paid for once, and replayed like any."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from application.authorization import PermissionIsMissing
from application.budgets import GrantCredit, OpenBudget
from application.caching import (
    NOTHING_KEPT,
    PATIENCE_S,
    answered_by,
    apart,
    cache_key,
    prediction_key,
)
from application.context import Context, within
from application.datasets import CreateDataset, LoadRows
from application.errors import AggregateNotFound
from application.evaluations import RequestEvaluation, RunEvaluation
from application.executions import RequestExecution, RunExecution
from application.lm_ports import ModelChoice, NotShared, ProgramFailed, RunnableProgram
from application.optimizations import RequestOptimization, RunOptimization
from application.payloads import Payload
from application.programs import ConfigureProgram
from application.purges import PurgeCache
from application.replays import RequestReplay, RunReplay
from domain.access.values import Role
from domain.budget.values import Cover
from domain.cache.events import CachePurged
from domain.dataset.values import Split
from domain.evaluation.events import EvaluationLmCalled
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionCreditSettled,
    ExecutionLmCalled,
    ExecutionRequested,
    ReplayVerified,
)
from domain.optimization.events import OptimizationLmCalled
from domain.program.caching import caches_of
from domain.run import RunStatus
from domain.values import NO_USAGE, Cache, LmCall, RunRef
from tests.support.run_world import CONTEXT, GRAPH, Killed, World
from tests.support.runs import BROKEN, answered, key

INPUTS = Payload.of({"message": "It crashes.", "hint": None})
ROWS = ({"message": "one", "queue": "bug"}, {"message": "two", "queue": "bug"})


@pytest.fixture
def world() -> World:
    world = World()
    world.runner.asks = ["one", "two"]
    return world


@pytest.fixture
def program_id(world: World) -> UUID:
    return world.a_program(GRAPH, Cache.ANSWERS)


def requested(world: World, program_id: UUID) -> UUID:
    execution_id = uuid4()
    inputs = {"message": "It crashes."}
    world.do(RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs))
    return execution_id


def executed(world: World, program_id: UUID) -> UUID:
    execution_id = requested(world, program_id)
    world.do(RunExecution(execution_id=execution_id))
    return execution_id


def calls(world: World, run_id: UUID) -> list[LmCall]:
    kinds = ExecutionLmCalled | EvaluationLmCalled | OptimizationLmCalled
    return [event.call for event in world.events(run_id) if isinstance(event, kinds)]


@pytest.mark.feature("LMP-14")
def test_lmp_14_an_equal_execution_makes_no_call_and_names_the_one_that_did(
    world: World, program_id: UUID
) -> None:
    first = executed(world, program_id)
    second = executed(world, program_id)
    assert world.runner.made == ["one", "two"]
    made, hits = calls(world, first), calls(world, second)
    assert [call.filled_by for call in made] == [None, None]
    assert [call.filled_by for call in hits] == [RunRef(kind="execution", id=first)] * 2
    assert [call.key for call in hits] == [call.key for call in made] == [key("one"), key("two")]
    assert [call.response for call in hits] == [call.response for call in made]


@pytest.mark.feature("CCH-08")
def test_cch_08_what_is_kept_says_which_program_and_which_models_it_is_of(world: World) -> None:
    program_id = world.a_program(GRAPH, Cache.ANSWERS, Cache.PREDICTIONS)
    executed(world, program_id)
    kept = [*world.answers.rows.values(), *world.predictions.rows.values()]
    assert [(each.program_id, each.models) for each in kept] == [(program_id, {"scripted"})] * 3


@pytest.mark.feature("CCH-08")
def test_cch_08_a_purge_is_on_record_with_its_reason(world: World) -> None:
    program_id, purge_id = world.a_program(), uuid4()
    told = {"cache": Cache.ANSWERS, "program_id": program_id, "model": "openai/gpt"}
    world.do(PurgeCache(purge_id=purge_id, **told, reason="It was wrong."))
    assert world.events(purge_id) == [CachePurged(**told, reason="It was wrong.")]


@pytest.mark.feature("CCH-08")
def test_cch_08_a_purge_of_a_program_that_is_not_there_is_refused(world: World) -> None:
    purge_id = uuid4()
    with pytest.raises(AggregateNotFound):
        world.do(PurgeCache(purge_id=purge_id, program_id=uuid4()))
    assert not world.events(purge_id)


@pytest.mark.feature("CCH-08")
def test_cch_08_whoever_may_only_run_programs_empties_no_cache(world: World) -> None:
    user = replace(CONTEXT, roles=frozenset({Role.ML_USER}))
    with pytest.raises(PermissionIsMissing):
        world.do(PurgeCache(purge_id=uuid4()), user)


@pytest.mark.feature("LMP-14")
def test_lmp_14_a_hit_costs_nothing_and_that_is_known(world: World, program_id: UUID) -> None:
    world.do(OpenBudget(budget_id=(budget_id := uuid4()), cover=Cover(), hold_usd=Decimal(1)))
    world.do(GrantCredit(budget_id=budget_id, usd=Decimal(9)))
    executed(world, program_id)
    events = world.events(executed(world, program_id))
    completed, settled = events[-1], events[-2]
    assert isinstance(completed, ExecutionCompleted)
    assert isinstance(settled, ExecutionCreditSettled)
    assert (completed.spend.calls, completed.spend.cost_usd) == (2, Decimal(0))
    assert completed.spend.total_tokens == 0
    assert settled.cost_usd == settled.charges[0].charged_usd == 0
    hits = [event.call for event in events if isinstance(event, ExecutionLmCalled)]
    assert [(call.attempts, call.usage, call.cost_usd) for call in hits] == [(0, NO_USAGE, 0)] * 2


@pytest.mark.feature("LMP-14")
def test_lmp_14_a_hit_is_replayed_from_its_own_log(world: World, program_id: UUID) -> None:
    executed(world, program_id)
    second = executed(world, program_id)
    world.answers.forget()
    world.do(RequestReplay(execution_id=second))
    world.do(RunReplay(execution_id=second, replay=1))
    verdict = world.events(second)[-1]
    assert verdict == ReplayVerified(replay=1, answered_from_log=2, duration_ms=250)
    assert world.runner.made == ["one", "two"]


def test_a_program_that_does_not_say_so_shares_nothing(world: World) -> None:
    program_id = world.a_program()
    executed(world, program_id)
    executed(world, program_id)
    assert world.runner.made == ["one", "two"] * 2
    assert not world.answers.rows


def test_what_an_execution_uses_is_said_when_it_is_requested(
    world: World, program_id: UUID
) -> None:
    execution_id = requested(world, program_id)
    world.change_program(program_id, lambda it: it.configure({}, None, at=world.clock.now()))
    event = world.events(execution_id)[0]
    assert isinstance(event, ExecutionRequested)
    assert event.caches == (Cache.ANSWERS,)
    world.do(RunExecution(execution_id=execution_id))
    assert len(world.answers.rows) == 2


@pytest.mark.feature("CCH-07")
def test_cch_07_an_answer_that_could_not_be_read_is_not_kept(
    world: World, program_id: UUID
) -> None:
    world.runner.unread = frozenset({"one"})
    executed(world, program_id)
    executed(world, program_id)
    assert world.runner.made == ["one", "two", "one"]
    assert world.answers.owed == 0


@pytest.mark.feature("CCH-07")
def test_cch_07_what_was_read_is_kept_though_the_program_failed_later(
    world: World, program_id: UUID
) -> None:
    world.runner.error = RuntimeError("A module of ours has a defect.")
    with pytest.raises(RuntimeError):
        executed(world, program_id)
    world.runner.error = None
    executed(world, program_id)
    assert world.runner.made == ["one", "two"]


@pytest.mark.feature("CCH-08")
def test_cch_08_the_key_says_whose_it_is() -> None:
    def of(tenant: str) -> Context:
        return Context(tenant=tenant, actor="ada", correlation_id=uuid4(), roles=CONTEXT.roles)

    keys = set[str]()
    for tenant in ("acme", "globex"):
        with within(of(tenant)):
            keys.add(cache_key(("dspy", "openai/gpt-4o-mini", ""), key("one")))
    assert len(keys) == 2


@pytest.mark.feature("CCH-01")
def test_cch_01_what_each_provider_answers_is_kept_apart() -> None:
    models = (
        None,
        ModelChoice("openai/gpt-4"),
        ModelChoice("openai/gpt-4", "https://one.example/v1", "sk-1"),
        ModelChoice("openai/gpt-4", "https://two.example/v1"),
        ModelChoice("openai/gpt-5", "https://two.example/v1"),
    )
    program = RunnableProgram("p@1", GRAPH, None)
    assert len({apart(answered_by(model), key("one")) for model in models}) == 5
    assert len({prediction_key(replace(program, model=it), INPUTS.ref) for it in models}) == 5
    rotated = ModelChoice("openai/gpt-4", "https://one.example/v1", "sk-2")
    assert answered_by(rotated) == answered_by(models[2]), "another key gives the same answers"
    assert apart(answered_by(None), key("one")) == key("one")


@pytest.mark.feature("CCH-09")
def test_cch_09_whoever_is_waited_for_is_let_go_when_the_attempt_dies(
    world: World, program_id: UUID
) -> None:
    def dies(_: str) -> None:
        assert world.answers.owed == 1
        raise Killed

    world.runner.during = dies
    with pytest.raises(Killed):
        executed(world, program_id)
    assert world.answers.owed == 0
    assert not world.answers.rows


def test_a_call_is_on_record_before_others_are_answered_by_it(
    world: World, program_id: UUID
) -> None:
    execution_id = requested(world, program_id)
    on_record = list[int]()
    world.runner.during = lambda _: on_record.append(len(calls(world, execution_id)))
    world.do(RunExecution(execution_id=execution_id))
    assert on_record == [0, 1]
    assert len(calls(world, execution_id)) == 2


def test_a_run_that_was_taken_away_gives_nothing(world: World, program_id: UUID) -> None:
    execution_id = requested(world, program_id)

    def cancelled(_: str) -> None:
        with within(CONTEXT):
            run = world.executions.get(execution_id)
            if run.status is RunStatus.RUNNING:
                run.cancel("Never mind.", at=world.clock.now())
                world.executions.save(run)

    world.runner.during = cancelled
    world.do(RunExecution(execution_id=execution_id))
    assert not world.answers.rows
    assert world.answers.owed == 0


def test_an_answer_that_was_erased_is_asked_for_again(world: World, program_id: UUID) -> None:
    executed(world, program_id)
    execution_id = requested(world, program_id)
    world.payloads.erase_everything()
    with within(CONTEXT):
        run = world.executions.get(execution_id)
    world.payloads.keep("acme", [answered("two")[2]])
    world.payloads.keep("acme", [INPUTS])
    assert run.inputs == INPUTS.ref
    world.do(RunExecution(execution_id=execution_id))
    assert world.runner.made == ["one", "two", "one"]


def test_evaluations_and_optimizations_share_with_executions(
    world: World, program_id: UUID
) -> None:
    dataset_id = uuid4()
    world.do(CreateDataset(dataset_id=dataset_id, name="tickets"))
    for split in (Split.HELDOUT, Split.TRAIN):
        world.do(LoadRows(dataset_id=dataset_id, split=split, rows=ROWS))
    first = executed(world, program_id)

    judged = uuid4()
    told = {"program_id": program_id, "dataset_id": dataset_id, "metric": "exact_match"}
    world.do(RequestEvaluation.model_validate({"evaluation_id": judged, **told}))
    world.do(RunEvaluation(evaluation_id=judged))
    assert [call.filled_by for call in calls(world, judged)] == [
        RunRef(kind="execution", id=first)
    ] * 2

    for _ in range(2):
        found = uuid4()
        world.do(RequestOptimization.model_validate({"optimization_id": found, **told}))
        world.do(RunOptimization(optimization_id=found))
    assert world.runner.made == ["one", "two", "trial 1", "trial 2"]
    hit = calls(world, found)[0].filled_by
    assert hit is not None
    assert hit.kind == "optimization"


@pytest.mark.parametrize(
    "value", ["answers", ["answers", "answers"], ["everything"], [1], {"answers": True}, None]
)
def test_a_program_takes_no_cache_that_is_none(value: JsonValue) -> None:
    with pytest.raises(ValidationError) as refused:
        ConfigureProgram.model_validate({"program_id": uuid4(), "config": {"cache": value}})
    [fault] = refused.value.errors()
    assert fault["type"] == "program.cache"
    assert fault["ctx"]["pointer"] == "/cache"
    assert caches_of({"cache": value}) == ()


@given(named=st.lists(st.sampled_from(Cache), unique=True))
def test_a_program_says_which_caches_may_answer(named: list[Cache]) -> None:
    config: dict[str, JsonValue] = {"cache": [each.value for each in named]}
    ConfigureProgram.model_validate({"program_id": uuid4(), "config": config})
    assert caches_of(config) == tuple(named)
    assert caches_of({}) == ()


def test_where_nothing_is_kept_or_shared_nothing_is_found() -> None:
    assert NOTHING_KEPT.take(key("one"), within_s=1) is None
    apart = NotShared()
    assert not apart.shares
    assert apart.shared(key("one"), within_s=1) is None
    apart.settle(key("one"), is_read=True)


@pytest.fixture
def predicted_id(world: World) -> UUID:
    """A program whose executions answer equal ones."""
    return world.a_program(GRAPH, Cache.PREDICTIONS)


def completed(world: World, execution_id: UUID) -> ExecutionCompleted:
    event = world.events(execution_id)[-1]
    assert isinstance(event, ExecutionCompleted)
    return event


@pytest.mark.feature("CCH-05")
def test_cch_05_an_equal_execution_ends_with_the_outputs_of_the_first_and_names_it(
    world: World, predicted_id: UUID
) -> None:
    first = executed(world, predicted_id)
    world.runner.outputs = {"queue": "billing"}
    second = executed(world, predicted_id)
    assert world.runner.made == ["one", "two"]
    assert len(world.runner.ran) == 1
    assert completed(world, first).filled_by is None
    hit = completed(world, second)
    assert (hit.filled_by, hit.outputs) == (first, completed(world, first).outputs)
    assert (hit.spend.calls, hit.spend.cost_usd) == (0, 0)
    assert calls(world, second) == []
    third = executed(world, predicted_id)
    assert completed(world, third).filled_by == first


@pytest.mark.feature("CCH-05")
def test_cch_05_a_hit_is_replayed_from_the_log_of_the_first(
    world: World, predicted_id: UUID
) -> None:
    executed(world, predicted_id)
    second = executed(world, predicted_id)
    world.do(RequestReplay(execution_id=second))
    world.do(RunReplay(execution_id=second, replay=1))
    verdict = world.events(second)[-1]
    assert verdict == ReplayVerified(replay=1, answered_from_log=2, duration_ms=250)
    assert world.runner.made == ["one", "two"]


@pytest.mark.feature("CCH-05")
def test_cch_05_another_version_other_inputs_and_another_program_run_by_themselves(
    world: World, predicted_id: UUID
) -> None:
    executed(world, predicted_id)
    executed(world, world.a_program(GRAPH, Cache.PREDICTIONS))
    assert len(world.runner.ran) == 2
    wish = {"program_id": predicted_id, "inputs": {"message": "Something else."}}
    world.do(RequestExecution.model_validate({"execution_id": (other := uuid4()), **wish}))
    world.do(RunExecution(execution_id=other))
    assert len(world.runner.ran) == 3
    world.payloads.keep("acme", [state := Payload.of({"answer": {"demos": []}})])
    world.change_program(
        predicted_id,
        lambda it: it.compile(
            base_version=1,
            optimization_id=uuid4(),
            optimizer="mipro",
            state=state.ref,
            training_score=None,
            at=world.clock.now(),
        ),
    )
    assert completed(world, executed(world, predicted_id)).filled_by is None
    assert len(world.runner.ran) == 4


@pytest.mark.feature("CCH-07")
def test_cch_07_a_failed_or_cancelled_execution_answers_no_other(
    world: World, predicted_id: UUID
) -> None:
    world.runner.error = ProgramFailed(BROKEN)
    executed(world, predicted_id)
    world.runner.error, world.runner.after = Killed(), lambda _: None
    with pytest.raises(Killed):
        executed(world, predicted_id)
    assert world.predictions.owed == 0
    assert not world.predictions.rows


def test_a_program_that_does_not_say_so_runs_each_time(world: World, program_id: UUID) -> None:
    executed(world, program_id)
    executed(world, program_id)
    assert len(world.runner.ran) == 2
    assert not world.predictions.rows


def test_outputs_that_were_erased_are_made_again(world: World, predicted_id: UUID) -> None:
    executed(world, predicted_id)
    world.payloads.erase_everything()
    world.payloads.keep("acme", [INPUTS])
    assert completed(world, executed(world, predicted_id)).filled_by is None
    assert len(world.runner.ran) == 2


def test_an_execution_waits_for_an_equal_one_no_longer_than_it_may(
    world: World, predicted_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = list[float]()

    def take(_: object, key: str, *, within_s: float) -> None:
        waited.append(within_s)

    monkeypatch.setattr(type(world.predictions), "take", take)
    executed(world, predicted_id)
    execution_id, inputs = uuid4(), {"message": "It crashes."}
    world.do(
        RequestExecution(
            execution_id=execution_id, program_id=predicted_id, inputs=inputs, deadline_s=30
        )
    )
    world.do(RunExecution(execution_id=execution_id))
    assert waited == [PATIENCE_S, 30]


def test_who_waited_in_vain_asks_and_owes_nothing(
    world: World, program_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(world.answers), "take", lambda *_, **__: None)
    executed(world, program_id)
    assert world.runner.made == ["one", "two"]
    assert not world.answers.rows
