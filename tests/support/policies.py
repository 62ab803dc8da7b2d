"""A policy of one's own, as a service is told to run it: ``tests.support.policies:apologize``."""

from collections.abc import Iterable
from uuid import uuid5

from application.commands import Command
from application.datasets import CreateDataset
from domain.kernel import Recorded
from domain.workflow_run.events import WorkflowRunUndone


def apologize(recorded: Recorded) -> Iterable[Command]:
    """When a run was undone, there is an apology to be written."""
    if isinstance(recorded.event, WorkflowRunUndone):
        dataset_id = uuid5(recorded.envelope.event_id, "apology")
        name = f"apology for {recorded.originator_id} of today"
        yield CreateDataset(dataset_id=dataset_id, name=name)
