"""Runs of workflows carried on by workers: in order, once, through failures and kills."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from pydantic import JsonValue

from application.attempts import ComeBackLater
from application.budgets import OpenBudget
from application.commands import CommandBus
from application.context import within
from application.deeds import DeedFailed, Deeds
from application.errors import ConcurrentWrite
from application.executions import CancelExecution, RunExecution
from application.lm_ports import ProgramFailed
from application.payloads import Payload
from application.policies import reactions
from application.records import CreateRecord, RecordHandlers, UpdateRecord
from application.tool_ports import ToolFailed
from application.workflow_runs import (
    AdvanceWorkflowRun,
    CancelWorkflowRun,
    StartWorkflow,
    UndoWorkflowRun,
    WorkflowRunHandlers,
)
from domain.errors import ConflictError
from domain.execution.aggregate import Execution
from domain.execution.events import ExecutionRequested
from domain.execution.values import Caller
from domain.program.aggregate import Program
from domain.run import RunStatus
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec
from domain.signature.types import INTEGER
from domain.values import Failure
from domain.workflow.aggregate import Workflow
from domain.workflow.errors import WorkflowIsRetired
from domain.workflow.values import Fixed, ProgramAction, RecordAction, Taken, WorkflowSpec
from domain.workflow_run.aggregate import WorkflowRun
from domain.workflow_run.events import (
    WorkflowStepCompleted,
    WorkflowStepFailed,
    WorkflowStepStarted,
)
from domain.workflow_run.values import WorkflowRunStatus
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, SPEC, Killed, MortalRepository, World
from tests.support.sagas import Shop, records_of
from tests.support.workflows import MESSAGE, calling, is_queue, step, three


class Stage(World):
    """A world with workflows, whose jobs are carried out one after the other."""

    def __init__(self) -> None:
        self.shop = Shop()
        super().__init__()
        self.workflows = MortalRepository(Workflow, self.log)
        self.runs = MortalRepository(WorkflowRun, self.log)
        running = self.bus.commands[RunExecution].carry_out.__self__  # type: ignore[attr-defined]  # a method
        self.records = records_of(self.log, self.payloads, self.clock)
        deeds = Deeds(running, self.shop, self.records)
        handlers = WorkflowRunHandlers(
            self.runs, self.workflows, self.payloads, deeds, self.clock, "worker-1"
        )
        self.saga = CommandBus(handlers)
        self.seen = 0

    def started(self, spec: WorkflowSpec, **inputs: JsonValue) -> UUID:
        workflow = Workflow.define(uuid4(), "orders", spec, at=NOW)
        with within(CONTEXT):
            self.workflows.save(workflow)
        wish = StartWorkflow(run_id=uuid4(), workflow_id=workflow.id, inputs=inputs)
        return self.saga.dispatch(wish, CONTEXT).id

    def work(self) -> None:
        """Carry out every job, those that wait once their time has come."""
        while self.seen < len(self.log.recorded):
            for command in reactions(self.log.recorded[self.seen]):
                self.deliver(command)
            self.seen += 1

    def deliver(self, command: Any) -> None:
        bus = self.saga if type(command) in self.saga.commands else self.bus
        try:
            bus.dispatch(command, CONTEXT)
        except ComeBackLater as later:
            self.clock.advance(later.after_s)
            bus.dispatch(command, CONTEXT)

    def run(self, id: UUID) -> WorkflowRun:
        with within(CONTEXT):
            return self.runs.get(id)

    def topics(self, id: UUID) -> list[str]:
        """What happened, each with its step if it was about one."""
        told = [
            (each.TOPIC.partition(".")[2], getattr(each, "step", "")) for each in self.events(id)
        ]
        return [f"{topic} {name}".strip() for topic, name in told]

    def outputs(self, id: UUID, name: str) -> JsonValue:
        with within(CONTEXT):
            return self.payloads.get(self.runs.get(id).done[name])


@pytest.fixture
def stage() -> Stage:
    return Stage()


def of_program(stage: Stage, retries: int = 0) -> ProgramAction:
    return ProgramAction(
        program_id=stage.a_program(),
        program_version=1,
        takes=SPEC.inputs,
        gives=SPEC.outputs,
        inputs={"message": Taken(field="message")},
        retries=retries,
        backoff_s=10,
    )


def routing(stage: Stage) -> WorkflowSpec:
    """An order is filed, classified by a program, and routed if it is a bug."""
    queue = Taken(step="classify", field="queue")
    return WorkflowSpec(
        inputs=(MESSAGE,),
        steps=(
            step(
                "order",
                calling("file_order", message=Taken(field="message")),
                undo=calling("withdraw", order=Taken(step="order", field="result")),
            ),
            step("classify", of_program(stage)),
            step("route", calling("route", queue=queue), when=is_queue("bug")),
            step("bill", calling("bill", queue=queue), when=is_queue("billing")),
        ),
    )


@pytest.mark.feature("VIS-17")
def test_vis_17_an_order_is_classified_by_a_program_and_routed_by_what_it_said(
    stage: Stage,
) -> None:
    made = stage.started(routing(stage), message="It crashes")
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED
    assert stage.shop.calls == [
        ("file_order", {"message": "It crashes"}),
        ("route", {"queue": "bug"}),
    ]
    assert stage.topics(made) == [
        "started",
        "step_started order", "step_completed order",
        "step_started classify", "step_completed classify",
        "step_started route", "step_completed route",
        "step_skipped bill",
        "completed",
    ]  # fmt: skip
    assert stage.outputs(made, "classify") == {"queue": "bug"}
    [asked] = [it for it in stage.log.recorded if isinstance(it.event, ExecutionRequested)]
    assert isinstance(asked.event, ExecutionRequested)
    assert asked.event.caller == Caller(kind=WorkflowRun.KIND, id=made)
    assert reactions(asked) == [], "the workflow runs what it asked for"


@pytest.mark.feature("VIS-31")
def test_vis_31_when_step_3_fails_step_2_is_undone_and_then_step_1(stage: Stage) -> None:
    def ship_breaks(name: str) -> JsonValue:
        if name == "ship":
            raise ToolFailed(Failure(code="tool.refused", message="No ship sails."))
        return name

    stage.shop.does = ship_breaks
    made = stage.started(three())
    stage.work()
    assert stage.shop.called == ["book", "pay", "ship", "refund", "unbook"]
    assert stage.run(made).status is WorkflowRunStatus.UNDONE
    [failed] = [it for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert failed.failure.message == "No ship sails."


def test_a_step_that_fails_twice_succeeds_at_the_third_try_after_waiting(stage: Stage) -> None:
    tries: list[str] = []

    def twice(name: str) -> JsonValue:
        tries.append(name)
        if len(tries) < 3:
            raise OSError("api_key=abc123 is not welcome")
        return name

    stage.shop.does, began = twice, stage.clock.now()
    made = stage.started(WorkflowSpec(steps=(step("go", calling("go", retries=2)),)))
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED
    assert (stage.clock.now() - began).total_seconds() == 10 + 20
    failures = [it.failure for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert [it.code for it in failures] == ["tool.failed"] * 2
    assert "abc123" not in failures[0].message
    assert len(dict.fromkeys(stage.shop.keys)) == 1, "each try is told by the same key"


@pytest.mark.parametrize("crash", [1, 2, 3, 4, 5, 6, 7])
def test_a_crash_at_any_save_leaves_a_run_that_goes_on(stage: Stage, crash: int) -> None:
    """The process dies before its n-th save; the same job is delivered again."""
    saves: list[int] = []

    def die(_: WorkflowRun) -> None:
        saves.append(1)
        if len(saves) == crash:
            raise Killed

    made = stage.started(three())
    stage.runs.before_save = die
    with pytest.raises(Killed):
        stage.work()
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED
    assert list(dict.fromkeys(stage.shop.called)) == ["book", "pay", "ship"]
    assert len(dict.fromkeys(stage.shop.keys)) == 3


def test_a_program_that_was_lost_in_mid_call_goes_on_where_it_was(stage: Stage) -> None:
    stage.runner.asks = ["one", "two"]
    died: list[str] = []

    def die(name: str) -> None:
        if name == "two" and not died:
            died.append(name)
            raise Killed

    stage.runner.during = die
    made = stage.started(routing(stage), message="It crashes")
    with pytest.raises(Killed):
        stage.work()
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED
    assert stage.runner.made == ["one", "two", "two"], "what was answered is not asked again"


def test_a_step_that_kills_its_workers_fails_at_the_third_and_the_run_is_undone(
    stage: Stage,
) -> None:
    def kills(name: str) -> JsonValue:
        if name == "pay":
            raise Killed
        return name

    stage.shop.does = kills
    made = stage.started(three())
    for _ in range(3):
        with pytest.raises(Killed):
            stage.work()
    stage.work()
    assert stage.shop.called == ["book", "pay", "pay", "pay", "unbook"]
    assert stage.run(made).status is WorkflowRunStatus.UNDONE


def test_old_news_and_what_has_ended_change_nothing(stage: Stage) -> None:
    made = stage.started(three())
    stage.work()
    before = len(stage.log.recorded)
    for turn in range(1, before + 1):
        stage.deliver(AdvanceWorkflowRun(run_id=made, turn=turn))
    assert len(stage.log.recorded) == before


def test_who_comes_second_leaves_the_step_to_the_first(stage: Stage) -> None:
    made = stage.started(three())

    def be_second(run: WorkflowRun) -> None:
        stage.runs.before_save = None
        raise ConcurrentWrite(run.KIND, run.id)

    stage.runs.before_save = be_second
    stage.deliver(AdvanceWorkflowRun(run_id=made, turn=1))
    assert stage.shop.called == []
    stage.deliver(AdvanceWorkflowRun(run_id=made, turn=1))
    assert stage.shop.called == ["book"]


def test_a_program_that_fails_is_run_anew_and_then_its_step_has_failed(stage: Stage) -> None:
    stage.runner.error = ProgramFailed(Failure(code="program.failed", message="It fell over."))
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(step("classify", of_program(stage, retries=1)),))
    made = stage.started(spec, message="Hi")
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.UNDONE
    asked = {
        it.originator_id for it in stage.log.recorded if isinstance(it.event, ExecutionRequested)
    }
    assert len(asked) == 2


def test_an_execution_that_somebody_calls_off_fails_its_step_for_good(stage: Stage) -> None:
    stage.runner.asks = ["one"]

    def cancel(_: str) -> None:
        [asked] = [it for it in stage.log.recorded if isinstance(it.event, ExecutionRequested)]
        stage.do(CancelExecution(execution_id=asked.originator_id))

    stage.runner.during = cancel
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(step("classify", of_program(stage, retries=5)),))
    made = stage.started(spec, message="Hi")
    stage.work()
    [failed] = [it for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert (failed.failure.code, failed.retry_at) == ("execution.cancelled", None)


def test_an_execution_that_goes_on_elsewhere_is_waited_for(stage: Stage) -> None:
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(step("classify", of_program(stage)),))
    made = stage.started(spec, message="Hi")

    def elsewhere(_: object) -> None:
        stage.runs.before_save = None
        stage.executions.before_save = twin

    def twin(run: Any) -> None:
        if run.status is RunStatus.RUNNING:
            stage.executions.before_save = None
            with within(CONTEXT):
                other = stage.executions.get(run.id)
                other.start("worker-2", at=NOW)
                stage.executions.save(other)

    stage.runs.before_save = elsewhere
    with pytest.raises(ComeBackLater):
        stage.saga.dispatch(AdvanceWorkflowRun(run_id=made, turn=1), CONTEXT)
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED


def test_a_program_out_of_service_fails_its_step_for_good(stage: Stage) -> None:
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(step("classify", of_program(stage, retries=5)),))
    action = spec.steps[0].do
    assert isinstance(action, ProgramAction)
    made = stage.started(spec, message="Hi")

    def retire(program: Program) -> None:
        program.retire("superseded", at=NOW)

    stage.change_program(action.program_id, retire)
    stage.work()
    [failed] = [it for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert failed.retry_at is None


def test_a_step_that_no_budget_pays_for_is_tried_again_and_then_fails(stage: Stage) -> None:
    stage.do(OpenBudget(budget_id=uuid4(), hold_usd=Decimal(1)))
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(step("classify", of_program(stage, retries=1)),))
    made = stage.started(spec, message="Hi")
    stage.work()
    failed = [it for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert [each.failure.code for each in failed] == ["budget.spent"] * 2
    assert stage.run(made).status is WorkflowRunStatus.UNDONE


def test_a_tool_that_breaks_its_promise_fails_its_step_for_good(stage: Stage) -> None:
    ticket = FieldSpec(name="ticket", type=INTEGER)
    promising = calling("go", retries=5).model_copy(update={"promises": (ticket,)})
    next_one = calling("then", ticket=Fixed(value="x"))
    spec = WorkflowSpec(steps=(step("go", promising), step("then", next_one)))
    stage.shop.does = lambda name: {"ticket": 7, "more": True}
    kept = stage.started(spec)
    stage.work()
    assert stage.outputs(kept, "go") == {"ticket": 7}
    stage.shop.does = lambda name: "no ticket"
    broken = stage.started(spec)
    stage.work()
    [failed] = [it for it in stage.events(broken) if isinstance(it, WorkflowStepFailed)]
    assert (failed.failure.code, failed.retry_at) == ("tool.result_invalid", None)


def test_values_that_do_not_fit_their_tool_fail_the_step_for_good(stage: Stage) -> None:
    """A step that gives anything may give what the next one cannot take."""
    first = step("first", calling("first"))
    then = step("then", calling("then", retries=5, text=Taken(step="first", field="result")))
    stage.shop.does = lambda name: [1, 2]
    made = stage.started(WorkflowSpec(steps=(first, then)))
    stage.work()
    [failed] = [it for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert failed.failure.code == "tool.arguments_invalid"
    assert stage.shop.called == ["first"]


def test_a_run_that_is_called_off_during_a_step_undoes_that_step_too(stage: Stage) -> None:
    def cancelled(name: str) -> JsonValue:
        if name == "pay":
            stage.saga.dispatch(CancelWorkflowRun(run_id=made, reason="Enough."), CONTEXT)
        return name

    stage.shop.does = cancelled
    made = stage.started(three())
    stage.work()
    assert stage.shop.called == ["book", "pay", "refund", "unbook"]
    assert stage.run(made).status is WorkflowRunStatus.UNDONE


def test_what_cannot_be_undone_waits_for_a_person_who_has_it_tried_again(stage: Stage) -> None:
    broken = {"ship", "refund"}

    def does(name: str) -> JsonValue:
        if name in broken:
            raise ToolFailed(Failure(code="tool.refused", message="No."))
        return name

    stage.shop.does = does
    made = stage.started(three())
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.FAILED
    assert stage.shop.called == ["book", "pay", "ship", "refund", "unbook"]
    broken.clear()
    stage.saga.dispatch(UndoWorkflowRun(run_id=made), CONTEXT)
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.UNDONE
    assert stage.shop.called[5:] == ["refund"]


def test_a_program_that_could_not_undo_runs_anew_when_somebody_asks_again(stage: Stage) -> None:
    taken_back = step("order", calling("file_order"), undo=of_program(stage, retries=1))
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(taken_back, step("ship", calling("ship"))))
    stage.shop.does = lambda name: name if name == "file_order" else failing(name)
    stage.runner.error = ProgramFailed(Failure(code="model.refused", message="Not now."))
    made = stage.started(spec, message="It crashes.")
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.FAILED
    assert len(stage.runner.ran) == 2
    stage.runner.error = None
    stage.saga.dispatch(UndoWorkflowRun(run_id=made), CONTEXT)
    stage.work()
    assert len(stage.runner.ran) == 3
    assert stage.run(made).status is WorkflowRunStatus.UNDONE


def failing(name: str) -> JsonValue:
    raise ToolFailed(Failure(code="tool.not_allowed", message=f"{name} is not allowed."))


def test_a_workflow_takes_what_it_says_and_nothing_else(stage: Stage) -> None:
    with pytest.raises(ValuesDoNotFit) as refused:
        stage.started(routing(stage), text="Hi")
    assert {it.pointer for it in refused.value.faults} == {"/inputs/message", "/inputs/text"}
    with pytest.raises(ValuesDoNotFit) as none:
        stage.started(three(), text="Hi")
    assert [it.pointer for it in none.value.faults] == ["/inputs/text"]


def test_a_retired_workflow_is_not_started(stage: Stage) -> None:
    workflow = Workflow.define(uuid4(), "orders", three(), at=NOW)
    workflow.retire("superseded", at=NOW)
    with within(CONTEXT):
        stage.workflows.save(workflow)
    with pytest.raises(WorkflowIsRetired):
        stage.saga.dispatch(StartWorkflow(run_id=uuid4(), workflow_id=workflow.id), CONTEXT)


def test_the_version_that_was_named_runs_though_there_is_a_later_one(stage: Stage) -> None:
    workflow = Workflow.define(uuid4(), "orders", three(), at=NOW)
    workflow.revise(WorkflowSpec(steps=(step("go", calling("go")),)), at=NOW)
    with within(CONTEXT):
        stage.workflows.save(workflow)
    wish = StartWorkflow(run_id=uuid4(), workflow_id=workflow.id, workflow_version=1)
    stage.saga.dispatch(wish, CONTEXT)
    stage.work()
    assert stage.shop.called == ["book", "pay", "ship"]


def test_a_twin_that_asked_for_the_execution_first_is_no_fault(stage: Stage) -> None:
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(step("classify", of_program(stage)),))
    made = stage.started(spec, message="Hi")

    def be_first(run: Execution) -> None:
        stage.executions.before_save = None
        twin = Execution.request(
            run.id,
            program_id=run.program_id,
            program_version=run.program_version,
            inputs=run.inputs,
            at=NOW,
        )
        stage.executions.save(twin, payloads=[Payload.of({"message": "Hi", "hint": None})])

    stage.executions.before_save = be_first
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED
    kinds = [type(it) for it in stage.events(made)]
    assert kinds[1:3] == [WorkflowStepStarted, WorkflowStepCompleted]


def marking(**more: Any) -> WorkflowSpec:
    """The order is marked as shipped, then shipped; marked as before if that fails."""
    here = Taken(field="order")
    inputs = {"record_id": here, "status": Fixed(value="shipped"), **more}
    back = {"record_id": here, "status": Taken(step="mark", field="status")}
    mark = step(
        "mark",
        RecordAction(resource="order", inputs=inputs, retries=0),
        undo=RecordAction(resource="order", inputs=back),
    )
    order = FieldSpec(name="order")
    return WorkflowSpec(inputs=(order,), steps=(mark, step("ship", calling("ship"))))


def an_order(stage: Stage, **data: JsonValue) -> UUID:
    wish = CreateRecord(record_id=uuid4(), resource="order", data=data)
    return CommandBus(stage.records).dispatch(wish, CONTEXT).id


def held(stage: Stage, record: UUID) -> JsonValue:
    """What a record holds."""
    with within(CONTEXT):
        return stage.payloads.get(stage.records.changes.records.get(record).data)


@pytest.mark.feature("VIS-31")
def test_vis_31_a_record_that_was_changed_holds_again_what_it_held_before(stage: Stage) -> None:
    def sink(name: str) -> JsonValue:
        raise ToolFailed(Failure(code="tool.not_allowed", message="No ship sails."))

    order = an_order(stage, status="paid", size=3)
    made = stage.started(marking(), order=str(order))
    stage.work()
    assert stage.run(made).status is WorkflowRunStatus.COMPLETED
    assert held(stage, order) == {"status": "shipped", "size": 3}
    assert stage.outputs(made, "mark") == {"status": "paid"}
    stage.shop.does = sink
    other = an_order(stage, size=5)
    undone = stage.started(marking(), order=str(other))
    stage.work()
    assert stage.run(undone).status is WorkflowRunStatus.UNDONE
    assert held(stage, other) == {"size": 5}


@pytest.mark.parametrize("before", ["paid", "shipped"])
def test_a_record_that_was_changed_twice_for_a_crash_tells_what_it_held_at_first(
    stage: Stage, before: str
) -> None:
    def die(run: WorkflowRun) -> None:
        if run.under_way is None and run.done:
            stage.runs.before_save = None
            raise Killed

    order = an_order(stage, status=before)
    made = stage.started(marking(), order=str(order))
    stage.runs.before_save = die
    with pytest.raises(Killed):
        stage.work()
    assert held(stage, order) == {"status": "shipped"}
    stage.work()
    assert stage.outputs(made, "mark") == {"status": before}


@pytest.mark.parametrize(
    ("order", "code"),
    [("none", "record.inputs_invalid"), (str(uuid4()), "not_found")],
    ids=["no id", "no record"],
)
def test_a_record_that_is_not_there_fails_its_step_for_good(
    stage: Stage, order: str, code: str
) -> None:
    made = stage.started(marking(), order=order)
    stage.work()
    [failed] = [it for it in stage.events(made) if isinstance(it, WorkflowStepFailed)]
    assert (failed.failure.code, failed.retry_at) == (code, None)


def test_a_record_that_others_change_all_the_time_is_tried_again(stage: Stage) -> None:
    order = an_order(stage, status="paid")

    def busy(command: UpdateRecord) -> None:
        raise ConcurrentWrite("record", command.record_id)

    deeds = Deeds(
        stage.bus.commands[RunExecution].carry_out.__self__,  # type: ignore[attr-defined]  # a method
        stage.shop,
        cast("RecordHandlers", SimpleNamespace(update=busy)),
    )
    given: dict[str, JsonValue] = {"record_id": str(order), "status": "shipped"}
    with within(CONTEXT), pytest.raises(DeedFailed) as failed:
        deeds.perform(marking().steps[0].do, given, run=uuid4(), key=uuid4(), failures=0)
    assert failed.value.failure.retryable


def test_a_run_is_called_off_as_it_was_seen(stage: Stage) -> None:
    made = stage.started(three())
    with pytest.raises(ConflictError):
        stage.saga.dispatch(CancelWorkflowRun(run_id=made, expected_version=7), CONTEXT)
