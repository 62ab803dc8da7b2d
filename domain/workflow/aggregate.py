"""The definition of a workflow, in versions that never change."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.workflow.errors import InvalidWorkflow, WorkflowIsRetired, WorkflowVersionNotFound
from domain.workflow.events import (
    WorkflowDefined,
    WorkflowEvent,
    WorkflowRetired,
    WorkflowRevised,
)
from domain.workflow.rules import workflow_faults
from domain.workflow.values import WorkflowSpec


class Workflow(Aggregate[WorkflowEvent]):
    KIND: ClassVar[str] = "workflow"

    name: str

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.versions: list[WorkflowSpec] = []
        self.is_retired = False

    @classmethod
    def define(cls, id: UUID, name: str, spec: WorkflowSpec, *, at: datetime) -> Self:
        """Define a workflow.

        Raises:
            InvalidWorkflow: It could not be carried out; the error names every fault.
        """
        _require_sound(spec)
        return cls.begin(id, WorkflowDefined(name=name, spec=spec), at=at)

    def revise(self, spec: WorkflowSpec, *, at: datetime) -> None:
        """Make *spec* the latest version. The same again changes nothing.

        Raises:
            WorkflowIsRetired: It takes no more versions.
            InvalidWorkflow: It could not be carried out; the error names every fault.
        """
        self.require_in_service()
        _require_sound(spec)
        if spec != self.versions[-1]:
            self.record(WorkflowRevised(new_version=self.latest_version + 1, spec=spec), at=at)

    def retire(self, reason: str, *, at: datetime) -> None:
        """Take it out of service; what was started goes on. A second time changes nothing."""
        if not self.is_retired:
            self.record(WorkflowRetired(reason=reason), at=at)

    def require_in_service(self) -> None:
        """Refuse to go on with a retired workflow.

        Raises:
            WorkflowIsRetired: Choose another one.
        """
        if self.is_retired:
            raise WorkflowIsRetired(self.id)

    @property
    def latest_version(self) -> int:
        return len(self.versions)

    def spec_of(self, version: int) -> WorkflowSpec:
        """What version number *version* says.

        Raises:
            WorkflowVersionNotFound: There is no such version.
        """
        if not 1 <= version <= self.latest_version:
            raise WorkflowVersionNotFound(self.id, version, self.latest_version)
        return self.versions[version - 1]

    def evolve(self, event: WorkflowEvent) -> None:
        match event:
            case WorkflowDefined(name=name, spec=spec):
                self.name = name
                self.versions.append(spec)
            case WorkflowRevised(spec=spec):
                self.versions.append(spec)
            case WorkflowRetired():
                self.is_retired = True
            case _:
                assert_never(event)


def _require_sound(spec: WorkflowSpec) -> None:
    if faults := list(workflow_faults(spec)):
        raise InvalidWorkflow(faults)
