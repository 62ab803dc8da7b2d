"""Recorded executions run another way: what is the same costs nothing, and the rest is foreseen."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pydantic import JsonValue

from application.attempts import RunInterrupted
from application.batches import ResumeBatch
from application.budgets import OpenBudget
from application.context import within
from application.counterfactuals import (
    CounterfactualHandlers,
    EstimateCounterfactual,
    RequestCounterfactual,
)
from application.executions import RequestExecution, RunExecution
from application.lm_ports import (
    CallJournal,
    Diverged,
    JsonObject,
    Missed,
    ModelChoice,
    ProgramFailed,
    RunStopped,
)
from application.past_runs import NoPastRuns, PastRun, Which
from application.payloads import Payload
from application.ports import Receipt
from application.prices import SetPrice
from application.replays import RequestReplay, RunReplay
from domain.batch.errors import RecordedInputsDoNotFit
from domain.batch.values import BatchStatus, Estimate
from domain.execution.aggregate import Execution
from domain.execution.events import ExecutionRequested, ReplayVerified
from domain.program.aggregate import Program
from domain.program.graph import ModuleNode, ProgramGraph, Source
from domain.program.values import Pins
from domain.run import RunStatus
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.values import NO_USAGE, Cache, LmCall, RunRef, ToolCall
from tests.application.test_batches import Line
from tests.support.memory import NOW
from tests.support.prices import CHEAP
from tests.support.run_world import CONTEXT, GRAPH, Killed
from tests.support.runs import BROKEN, OVERLOADED, key

CALL_USD = Decimal("0.001")
"""What the scripted provider is known to charge for a call."""
BILLED = Decimal("0.00000195")
"""The same call by the price book."""
OTHER = "other/model"


class Providers:
    """A tenant's models, each of which is offered under any name."""

    def resolved(self, asked: str | None, config: Mapping[str, JsonValue]) -> str | None:
        del config
        return asked

    def chosen(
        self, model: str | None, *, live: bool = True, fallback: str | None = None
    ) -> ModelChoice | None:
        del live, fallback
        return None if model is None else ModelChoice(model)

    def changed(self) -> None:
        """There is nothing to forget."""


class Varying(Line):
    """A world in which recorded executions are run another way."""

    models = Providers()

    def __init__(self) -> None:
        super().__init__()
        self.runner.asks = ["one", "two"]
        self.program_id = self.a_program()

    def beside(self, request: Callable[[RequestExecution], Receipt]) -> Sequence[object]:
        return (
            *super().beside(request),
            CounterfactualHandlers(
                self.batches,
                *(self.programs, self.executions, self, self.payloads, self.supplies),
                *(self.engine, self.clock, self.reading, self.prices, self.models),
            ),
        )

    def completed(self, which: Which) -> Sequence[PastRun]:
        """What a read model has."""
        asked = [each for each in self.log.recorded if isinstance(each.event, ExecutionRequested)]
        runs = [self.executions.get(each.originator_id) for each in asked]
        return [
            PastRun(run.id, run.inputs, run.outputs)
            for run in runs
            if run.outputs is not None and run.program_id == which.program_id and run.varies is None
        ]

    def ran(self, message: str = "Hi.", *, model: str | None = None) -> UUID:
        wish = RequestExecution(
            execution_id=uuid4(),
            program_id=self.program_id,
            inputs={"message": message},
            model=model,
        )
        self.do(wish)
        self.do(RunExecution(execution_id=wish.execution_id))
        self.jobs()
        self.runner.made.clear()
        return wish.execution_id

    def asked(self, **how: object) -> UUID:
        wish = {"batch_id": uuid4(), "which": Which(program_id=self.program_id), **how}
        return self.do(RequestCounterfactual.model_validate(wish)).id

    def estimated(self, **how: object) -> tuple[UUID, Estimate]:
        batch_id = self.asked(**how)
        self.work()
        found = self.batch(batch_id).found
        assert found is not None
        assert not self.runner.made, "An estimate spends nothing."
        return batch_id, found

    def begun(self, batch_id: UUID) -> list[Execution]:
        """The runs of the batch, once all that follows is done."""
        self.do(ResumeBatch(batch_id=batch_id))
        self.work()
        return self.runs(batch_id)

    def runs(self, batch_id: UUID) -> list[Execution]:
        count = self.batch(batch_id).wish.count
        with within(CONTEXT):
            return [
                self.executions.get(self.batch(batch_id).run_of(row)) for row in range(1, count + 1)
            ]


@pytest.fixture
def world() -> Varying:
    return Varying()


def models_of(run: Execution) -> list[LmCall]:
    return [call for call in run.calls if isinstance(call, LmCall)]


def test_an_unchanged_version_pays_for_no_call_and_gives_the_same(world: Varying) -> None:
    sources = [world.ran("Hi."), world.ran("Ho.")]
    batch_id, found = world.estimated()
    assert found == Estimate(
        executions=2, unchanged=2, reused=4, paid=0, unpriced=0, cost_usd=Decimal(0)
    )
    assert world.batch(batch_id).status is BatchStatus.ESTIMATED
    runs = world.begun(batch_id)
    assert world.runner.made == []
    assert world.batch(batch_id).status is BatchStatus.COMPLETED
    for source, run in zip(sources, runs, strict=True):
        with within(CONTEXT):
            before = world.executions.get(source)
        assert (run.varies, run.outputs, run.spend.cost_usd) == (source, before.outputs, 0)
        assert [call.key for call in run.calls] == [key("one"), key("two")]
        for call in models_of(run):
            assert (call.filled_by, call.attempts) == (RunRef(kind="execution", id=source), 0)
            assert call.usage == NO_USAGE


def test_nothing_runs_before_somebody_resumes_it(world: Varying) -> None:
    world.ran()
    world.runner.asks = ["one", "changed"]
    batch_id, _ = world.estimated()
    world.work()
    assert world.run_of(batch_id, 1) is None


def test_behind_the_first_changed_call_everything_is_paid(world: Varying) -> None:
    world.ran()
    world.runner.asks = ["one", "two, said otherwise"]
    batch_id, found = world.estimated()
    assert (found.reused, found.paid, found.unchanged, found.cost_usd) == (1, 1, 0, CALL_USD)
    (run,) = world.begun(batch_id)
    assert world.runner.made == ["two, said otherwise"]
    assert [call.filled_by is not None for call in models_of(run)] == [True, False]
    assert run.spend.cost_usd == found.cost_usd


def test_another_model_answers_every_call_itself(world: Varying) -> None:
    world.ran()
    world.ran(model="mine/model")
    world.do(SetPrice(model=OTHER, rates=CHEAP))
    batch_id, found = world.estimated(model=OTHER)
    assert (found.reused, found.paid, found.cost_usd) == (0, 4, 4 * BILLED)
    runs = world.begun(batch_id)
    assert [run.model for run in runs] == [OTHER, OTHER]
    assert world.runner.made == ["one", "two"] * 2


def test_without_a_model_each_has_that_of_the_one_it_varies(world: Varying) -> None:
    world.ran()
    world.ran(model="mine/model")
    batch_id, found = world.estimated()
    assert found.paid == 0
    assert {run.model for run in world.begun(batch_id)} == {None, "mine/model"}


@pytest.mark.parametrize("count", [1, 3])
def test_the_estimate_is_what_is_then_paid(world: Varying, count: int) -> None:
    world.do(SetPrice(model="scripted", rates=CHEAP))
    for number in range(count):
        world.ran(f"Row {number}.")
    world.runner.asks = ["other", "another"]
    batch_id, found = world.estimated()
    runs = world.begun(batch_id)
    assert found.cost_usd == 2 * count * BILLED
    assert sum(run.spend.cost_usd or 0 for run in runs) == found.cost_usd
    assert len(world.runner.made) == found.paid


def test_what_nobody_can_price_is_counted_and_not_summed(world: Varying) -> None:
    world.ran()
    _, found = world.estimated(model=OTHER)
    assert (found.paid, found.unpriced, found.cost_usd) == (2, 2, None)
    _, free = world.estimated(model="local:smol")
    assert (free.paid, free.unpriced, free.cost_usd) == (2, 0, 0)
    world.runner.asks = ["one", "two", "three"]
    _, more = world.estimated()
    assert (more.reused, more.paid, more.unpriced, more.cost_usd) == (2, 1, 1, None)


def test_nobody_counted_the_tokens_of_an_answer_that_came_from_elsewhere(world: Varying) -> None:
    world.program_id = world.a_program(GRAPH, Cache.ANSWERS)
    world.ran()
    world.ran()
    world.runner.asks = ["other", "another"]
    _, found = world.estimated()
    assert (found.paid, found.unpriced, found.cost_usd) == (4, 2, 2 * CALL_USD)


def test_a_prediction_from_the_cache_is_varied_by_the_calls_that_led_to_it(world: Varying) -> None:
    world.program_id = world.a_program(GRAPH, Cache.PREDICTIONS)
    first, hit = world.ran(), world.ran()
    with within(CONTEXT):
        assert first in (world.executions.get(hit).filled_by, world.executions.get(first).id)
    batch_id, found = world.estimated()
    assert (found.reused, found.paid) == (4, 0)
    runs = world.begun(batch_id)
    assert [len(run.calls) for run in runs] == [2, 2]
    assert world.runner.made == []


def test_what_a_run_is_killed_at_repeats_no_recorded_call(world: Varying) -> None:
    world.ran()
    world.runner.asks = ["one", "new", "newer"]
    batch_id, _ = world.estimated()
    world.do(ResumeBatch(batch_id=batch_id))

    def kill(name: str) -> None:
        if name == "newer":
            raise Killed

    world.runner.during = kill
    with pytest.raises(Killed):
        world.work()
    world.runner.during = lambda _: None
    world.do(RunExecution(execution_id=world.runs(batch_id)[0].id))
    (run,) = world.runs(batch_id)
    assert run.status is RunStatus.COMPLETED
    assert world.runner.made == ["new", "newer", "newer"]
    assert [call.key for call in run.calls] == [key(name) for name in ("one", "new", "newer")]


def test_a_spent_budget_pauses_it(world: Varying) -> None:
    world.ran()
    batch_id, _ = world.estimated()
    world.do(OpenBudget(budget_id=uuid4(), hold_usd=Decimal(1), alert_below_usd=None))
    world.do(ResumeBatch(batch_id=batch_id))
    world.work()
    assert world.batch(batch_id).status is BatchStatus.PAUSED


def test_it_is_replayed_like_any_execution(world: Varying) -> None:
    world.ran()
    world.runner.asks = ["one", "new"]
    batch_id, _ = world.estimated()
    (run,) = world.begun(batch_id)
    world.do(RequestReplay(execution_id=run.id))
    world.do(RunReplay(execution_id=run.id, replay=1))
    assert isinstance(world.events(run.id)[-1], ReplayVerified)


class Tools(Varying):
    """A program that calls a tool between its two calls of the model, or asks for another."""

    tool = "search"

    def __init__(self) -> None:
        super().__init__()
        self.called: list[str] = []
        self.runner.asks = []
        self.engine.execute = self.execute  # type: ignore[method-assign]  # one more kind of call

    def execute(
        self, program: object, inputs: object, journal: CallJournal, *, live: bool, **_: object
    ) -> JsonObject:
        del program, inputs
        self.runner.ask("one", journal, live=live)
        if journal.find(key(self.tool)) is None:
            if not live:
                missed = Missed(key(self.tool), "answer", {}, self.tool)
                raise Diverged("A tool is called that is not on record.", missed)
            self.called.append(self.tool)
            given, result = Payload.of({"query": self.tool}), Payload.of({"result": "found"})
            call = ToolCall(
                key=key(self.tool),
                node="answer",
                tool=self.tool,
                arguments=given.ref,
                result=result.ref,
                latency_ms=4,
            )
            journal.record_tool_call(call, given, result)
        self.runner.ask("two", journal, live=live)
        return {"queue": "bug"}


def test_a_tool_is_not_called_again_even_for_another_model() -> None:
    world = Tools()
    source = world.ran()
    world.called.clear()
    batch_id, found = world.estimated(model=OTHER)
    assert (found.reused, found.paid) == (0, 2)
    (run,) = world.begun(batch_id)
    assert world.called == []
    (tool,) = [call for call in run.calls if isinstance(call, ToolCall)]
    assert (tool.filled_by, tool.latency_ms) == (RunRef(kind="execution", id=source), 0)


def test_behind_another_call_of_a_tool_the_rest_is_a_guess() -> None:
    world = Tools()
    world.ran()
    world.tool = "look it up"
    _, found = world.estimated()
    assert (found.reused, found.paid) == (1, 1)


def test_a_program_that_fails_asks_for_nothing_more(world: Varying) -> None:
    world.ran()
    world.runner.asks, world.runner.error = ["one"], ProgramFailed(BROKEN)
    _, found = world.estimated()
    assert (found.reused, found.paid, found.unchanged) == (1, 0, 1)


def test_an_erased_answer_is_asked_for_again(world: Varying) -> None:
    source = world.ran()
    batch_id = world.asked()
    inputs = {"message": "Hi.", "hint": None}
    kept: list[JsonValue] = [inputs, [inputs], [str(source)], {"say": "one"}, {"queue": "bug"}]
    world.payloads.erase_everything()
    world.payloads.keep("acme", [Payload.of(each) for each in kept])
    world.work()
    found = world.batch(batch_id).found
    assert found is not None
    assert (found.reused, found.paid) == (1, 1)
    (run,) = world.begun(batch_id)
    assert world.runner.made == ["two"]
    assert run.status is RunStatus.COMPLETED


def test_what_cannot_be_found_out_now_is_found_out_later(world: Varying) -> None:
    world.ran()
    batch_id = world.asked()
    world.runner.error = RunStopped(OVERLOADED.model_copy(update={"retryable": True}))
    with pytest.raises(RunInterrupted):
        world.work()
    world.runner.error = None
    world.do(EstimateCounterfactual(batch_id=batch_id))
    world.do(EstimateCounterfactual(batch_id=batch_id))  # a job may come twice
    assert world.batch(batch_id).status is BatchStatus.ESTIMATED


def test_what_was_erased_altogether_calls_it_off(world: Varying) -> None:
    world.ran()
    batch_id = world.asked()
    world.payloads.erase_everything()
    world.work()
    batch = world.batch(batch_id)
    assert batch.status is BatchStatus.CANCELLED
    assert batch.cancelled_because


def test_a_model_that_may_not_be_asked_any_more_calls_it_off(
    world: Varying, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ran()
    batch_id = world.asked(model=OTHER)

    def refuse(*_: object, **__: object) -> None:
        raise ProgramFailed(BROKEN)

    monkeypatch.setattr(world.models, "chosen", refuse)
    world.work()
    assert world.batch(batch_id).cancelled_because == BROKEN.message


def test_it_is_refused_where_nothing_is_on_record_or_does_not_fit(world: Varying) -> None:
    with pytest.raises(NoPastRuns):
        world.asked()
    source = world.ran()
    spec = SignatureSpec(inputs=(FieldSpec(name="letter"),), outputs=(FieldSpec(name="queue"),))
    world.change_program(world.program_id, lambda it: _revise(it, spec))
    with pytest.raises(RecordedInputsDoNotFit) as refusal:
        world.asked(program_version=2)
    assert str(source) in refusal.value.faults[0].message
    assert world.asked(program_version=1)


def _revise(program: Program, spec: SignatureSpec) -> None:
    (node,) = (each for each in GRAPH.nodes if isinstance(each, ModuleNode))
    module = node.module.model_copy(update={"signature": spec})
    inputs = {each.name: Source(field=each.name) for each in spec.inputs}
    changed = node.model_copy(update={"module": module, "inputs": inputs})
    graph = ProgramGraph(signature=spec, nodes=(changed,), outputs=GRAPH.outputs)
    program.revise(graph, Pins(adapter=None, libraries={}), "It takes letters now.", at=NOW)
