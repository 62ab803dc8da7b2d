"""Everything that can happen to the definition of a workflow."""

from typing import Annotated, ClassVar

from pydantic import Field

from domain.kernel import Event
from domain.workflow.values import WorkflowSpec


class WorkflowDefined(Event):
    """Its first version."""

    TOPIC: ClassVar[str] = "workflow.defined"

    name: str
    spec: WorkflowSpec


class WorkflowRevised(Event):
    """A later version; runs that go on keep theirs."""

    TOPIC: ClassVar[str] = "workflow.revised"

    new_version: Annotated[int, Field(ge=2)]
    spec: WorkflowSpec


class WorkflowRetired(Event):
    TOPIC: ClassVar[str] = "workflow.retired"

    reason: str


WorkflowEvent = WorkflowDefined | WorkflowRevised | WorkflowRetired
