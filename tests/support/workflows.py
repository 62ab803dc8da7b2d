"""Workflows for tests: an order that is classified, then routed; and what steps are made of."""

from typing import Any

from domain.kernel import Event
from domain.program.conditions import Comparison, Condition
from domain.signature.fields import FieldSpec
from domain.signature.types import EnumOf
from domain.tool.values import PythonTool
from domain.values import Failure
from domain.webhook.events import (
    WebhookDisabled,
    WebhookPaused,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookSubscribed,
)
from domain.webhook.values import KeptSecret, NamedSecret
from domain.workflow.events import WorkflowDefined, WorkflowRetired, WorkflowRevised
from domain.workflow.values import (
    Action,
    Fixed,
    ProgramAction,
    Step,
    Taken,
    ToolAction,
    WorkflowSpec,
)
from domain.workflow_run.events import (
    WorkflowRunCancelled,
    WorkflowRunCompleted,
    WorkflowRunFailed,
    WorkflowRunStarted,
    WorkflowRunUndone,
    WorkflowStepCompleted,
    WorkflowStepFailed,
    WorkflowStepSkipped,
    WorkflowStepStarted,
    WorkflowStepUndone,
    WorkflowUndoFailed,
    WorkflowUndoRequested,
    WorkflowUndoStarted,
)
from tests.support.histories import NOW, an_id, ref

QUEUES = ("bug", "billing", "howto")
MESSAGE = FieldSpec(name="message")
QUEUE = FieldSpec(name="queue", type=EnumOf(values=QUEUES))
BROKEN = Failure(code="tool.failed", message="It broke.", retryable=True)
HOPELESS = Failure(code="tool.not_allowed", message="It is not allowed.")


def tool(name: str, *arguments: str) -> PythonTool:
    """A function of the shop that takes texts."""
    return PythonTool(
        name=name,
        description=f"{name} of the shop.",
        entry_point=f"shop.more:{name}",
        arguments=tuple(FieldSpec(name=each) for each in arguments),
    )


def calling(name: str, retries: int = 0, **inputs: Taken | Fixed) -> ToolAction:
    """The call of a tool that takes just these *inputs*."""
    return ToolAction(tool=tool(name, *inputs), inputs=inputs, retries=retries, backoff_s=10)


def classifying(retries: int = 0) -> ProgramAction:
    """Runs the triage program on the message."""
    return ProgramAction(
        program_id=an_id("program"),
        program_version=1,
        takes=(MESSAGE,),
        gives=(QUEUE,),
        inputs={"message": Taken(field="message")},
        retries=retries,
        backoff_s=10,
    )


def step(
    name: str, do: Action, *, when: Condition | None = None, undo: Action | None = None
) -> Step:
    return Step(name=name, do=do, when=when, undo=undo)


def is_queue(value: str) -> Comparison:
    return Comparison(op="eq", field="classify.queue", value=value)


def three(retries: int = 0) -> WorkflowSpec:
    """Three steps: the first two can be undone."""
    first = step("first", calling("book", retries), undo=calling("unbook", retries))
    second = step("second", calling("pay", retries), undo=calling("refund", retries))
    return WorkflowSpec(steps=(first, second, step("third", calling("ship", retries))))


def order(**changes: Any) -> WorkflowSpec:
    """An order is filed, its message classified, and what is a bug is routed to people."""
    file = step(
        "file",
        calling("file_order", message=Taken(field="message")),
        undo=calling("withdraw", order=Taken(step="file", field="result")),
    )
    queue = Taken(step="classify", field="queue")
    route = step("route", calling("route", queue=queue), when=is_queue("bug"))
    spec = WorkflowSpec(inputs=(MESSAGE,), steps=(file, step("classify", classifying()), route))
    return spec.model_copy(update=changes)


STARTED = WorkflowRunStarted(
    workflow_id=an_id("workflow"), workflow_version=1, inputs=ref("inputs of a run")
)


def begun(name: str, attempt: int = 1) -> WorkflowStepStarted:
    return WorkflowStepStarted(
        step=name, attempt=attempt, inputs=ref(f"for {name}"), worker="worker-1"
    )


def completed(name: str, attempt: int = 1) -> WorkflowStepCompleted:
    return WorkflowStepCompleted(step=name, attempt=attempt, outputs=ref(f"of {name}"))


def done(name: str) -> tuple[Event, ...]:
    return begun(name), completed(name)


def undoing(name: str, attempt: int = 2) -> WorkflowUndoStarted:
    return WorkflowUndoStarted(
        step=name, attempt=attempt, inputs=ref(f"back {name}"), worker="worker-1"
    )


def undone(name: str, attempt: int = 2) -> tuple[Event, ...]:
    return undoing(name, attempt), WorkflowStepUndone(step=name, attempt=attempt)


def failed(name: str, attempt: int = 1, *, again: bool = False) -> tuple[Event, ...]:
    """A step that failed, to be tried *again* or not."""
    retry_at = NOW if again else None
    end = WorkflowStepFailed(step=name, attempt=attempt, failure=BROKEN, retry_at=retry_at)
    return begun(name, attempt), end


def a_run_undone() -> tuple[Event, ...]:
    """The third step fails for good, so the first two are undone."""
    turned = (STARTED, *done("first"), *done("second"), *failed("third"))
    return (*turned, *undone("second"), *undone("first"), WorkflowRunUndone())


def a_run_with_all() -> tuple[Event, ...]:
    """A run in which everything happens: it is cancelled, and a person has to look."""
    return (
        STARTED,
        WorkflowStepSkipped(step="first"),
        *failed("second", again=True),
        begun("second", 2),
        completed("second", 2),
        begun("third"),
        WorkflowRunCancelled(reason="No longer needed.", during="third"),
        completed("third"),
        undoing("second", 3),
        WorkflowUndoFailed(step="second", attempt=3, failure=BROKEN, retry_at=None),
        WorkflowRunFailed(not_undone=("second",)),
        WorkflowUndoRequested(),
        *undone("second", 4),
        WorkflowRunUndone(),
    )


def a_run_completed() -> tuple[Event, ...]:
    return (STARTED, *done("first"), WorkflowRunCompleted())


def a_workflow() -> tuple[Event, ...]:
    """The life of a workflow's definition."""
    return (
        WorkflowDefined(name="orders", spec=order()),
        WorkflowRevised(new_version=2, spec=three()),
        WorkflowRetired(reason="Old."),
    )


def a_webhook() -> tuple[Event, ...]:
    """The life of a webhook."""
    secret = KeptSecret(text=ref("whsec_secret"))
    return (
        WebhookSubscribed(
            name="crm",
            url="https://crm.example/in",
            topics=("execution.*",),
            secret=secret,
            after=None,
        ),
        WebhookPaused(reason="It moves."),
        WebhookResumed(),
        WebhookSecretRotated(secret=NamedSecret(name="crm")),
        WebhookDisabled(position=3, tries=9, failure=BROKEN),
        WebhookRemoved(reason="It is gone."),
    )
