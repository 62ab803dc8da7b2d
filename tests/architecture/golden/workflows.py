"""Examples of what happens to workflows, to their runs, and to webhooks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from domain.kernel import Event
from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Not
from domain.tool.values import HttpTool, McpTool, PythonTool
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
    Fixed,
    ProgramAction,
    RecordAction,
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
from tests.architecture.golden.graphs import BARE_SPEC, RICH_SPEC, SPEC, TOOLS
from tests.support.histories import an_id, ref

_AT = datetime(2030, 1, 1, 12, 31, tzinfo=UTC)
_FAILURE = Failure(
    code="provider.rate_limited", message="Try later.", retryable=True, provider_status=429
)
_CONDITION = AllOf(
    op="all",
    of=(
        AnyOf(op="any", of=(Comparison(op="in", field="ask.queue", value=["bug"]),)),
        Not(op="not", of=Check(op="empty", field="message")),
    ),
)
_PROGRAM = ProgramAction(
    inputs={"message": Taken(step="file", field="result"), "tone": Fixed(value={"dry": [1, None]})},
    retries=5,
    backoff_s=0.5,
    program_id=an_id("program"),
    program_version=2,
    takes=SPEC.inputs,
    gives=SPEC.outputs,
)
_CALLED = [tool for tool in TOOLS if isinstance(tool, PythonTool | HttpTool | McpTool)]
_CALLS = tuple(
    ToolAction(
        inputs={"city": Taken(step="ask", field="queue")},
        retries=1,
        backoff_s=2,
        tool=tool.model_copy(update={"arguments": SPEC.inputs}),
        promises=SPEC.outputs,
    )
    for tool in _CALLED
)
_STEPS = tuple(
    Step(name=f"step_{number}", do=_PROGRAM, when=_CONDITION, undo=call)
    for number, call in enumerate(_CALLS)
)
_MARK = RecordAction(
    inputs={"record_id": Taken(field="message"), "status": Fixed(value="shipped")},
    retries=3,
    backoff_s=4,
    resource="order",
)
_RICH = WorkflowSpec(
    inputs=(*SPEC.inputs, *BARE_SPEC.inputs, *RICH_SPEC.inputs, *RICH_SPEC.outputs),
    steps=(*_STEPS, Step(name="mark", do=_MARK)),
)
_FULL = WorkflowSpec(inputs=SPEC.inputs, steps=_STEPS[1:2])
_TOPICS = ("execution.*", "program.deployed")
_KEPT = KeptSecret(text=ref("whsec_secret"))
_STEP: Final = {"step": "ask", "attempt": 2}

WORKFLOWS: Final[Sequence[Sequence[Event]]] = (
    (WorkflowDefined(name="orders", spec=_FULL), WorkflowDefined(name="orders", spec=_RICH)),
    (
        WorkflowRevised(new_version=2, spec=_FULL),
        WorkflowRevised(new_version=3, spec=_RICH),
    ),
    (WorkflowRetired(reason="Superseded."),),
    (
        WorkflowRunStarted(
            workflow_id=an_id("workflow"), workflow_version=2, inputs=ref("inputs of a run")
        ),
    ),
    (WorkflowStepStarted.model_validate({**_STEP, "inputs": ref("for ask"), "worker": "host:1"}),),
    (WorkflowStepSkipped(step="ask"),),
    (WorkflowStepCompleted.model_validate({**_STEP, "outputs": ref("of ask")}),),
    (
        WorkflowStepFailed.model_validate({**_STEP, "failure": _FAILURE, "retry_at": _AT}),
        WorkflowStepFailed.model_validate({**_STEP, "failure": _FAILURE, "retry_at": None}),
    ),
    (
        WorkflowRunCancelled(reason="No longer needed.", during="ask"),
        WorkflowRunCancelled(reason="No longer needed.", during=None),
    ),
    (WorkflowUndoStarted.model_validate({**_STEP, "inputs": ref("back ask"), "worker": "host:1"}),),
    (WorkflowStepUndone.model_validate(_STEP),),
    (
        WorkflowUndoFailed.model_validate({**_STEP, "failure": _FAILURE, "retry_at": _AT}),
        WorkflowUndoFailed.model_validate({**_STEP, "failure": _FAILURE, "retry_at": None}),
    ),
    (WorkflowRunCompleted(),),
    (WorkflowRunUndone(),),
    (WorkflowRunFailed(not_undone=("ask", "file")),),
    (WorkflowUndoRequested(),),
    (
        WebhookSubscribed(
            name="crm", url="https://crm.example/in", topics=_TOPICS, secret=_KEPT, after=7
        ),
        WebhookSubscribed(
            name="crm",
            url="https://crm.example/in",
            topics=(),
            secret=NamedSecret(name="crm"),
            after=None,
        ),
    ),
    (WebhookPaused(reason="It moves."),),
    (WebhookResumed(),),
    (WebhookDisabled(position=9, tries=12, failure=_FAILURE),),
    (
        WebhookSecretRotated(secret=_KEPT),
        WebhookSecretRotated(secret=NamedSecret(name="crm")),
    ),
    (WebhookRemoved(reason="It is gone."),),
)
