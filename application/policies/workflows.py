"""After each fact of a workflow's run that calls for it, a worker sees what is next."""

from collections.abc import Iterable

from application.commands import Command
from application.workflow_runs import AdvanceWorkflowRun
from domain.kernel import Recorded
from domain.workflow_run.events import WorkflowRunEvent, calls_for_a_move


def workflows(recorded: Recorded) -> Iterable[Command]:
    event = recorded.event
    if isinstance(event, WorkflowRunEvent) and calls_for_a_move(event):
        yield AdvanceWorkflowRun(run_id=recorded.originator_id, turn=recorded.originator_version)
