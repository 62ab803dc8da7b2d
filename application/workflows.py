"""What people may ask of workflows: each command, and beneath it its handler."""

from dataclasses import dataclass
from uuid import UUID

from application.authorization import Permission
from application.commands import Command, handles
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from application.workflow_wishes import Inputs, Steps, WorkflowPinning
from domain.text import LongText, Name
from domain.workflow.aggregate import Workflow


class DefineWorkflow(Command):
    """Programs and tools are looked up once, and pinned."""

    workflow_id: UUID
    name: Name
    inputs: Inputs = ()
    steps: Steps


class ReviseWorkflow(Command):
    """Make another version; what was started goes on as it was."""

    workflow_id: UUID
    inputs: Inputs = ()
    steps: Steps
    expected_version: int | None = None


class RetireWorkflow(Command):
    workflow_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class WorkflowHandlers:
    workflows: Repository[Workflow]
    pinning: WorkflowPinning
    clock: Clock

    @handles(DefineWorkflow, Permission.AUTHOR)
    def define(self, command: DefineWorkflow) -> Receipt:
        spec = self.pinning.pinned(command.inputs, command.steps)
        workflow = Workflow.define(command.workflow_id, command.name, spec, at=self.clock.now())
        claim = Claim(Workflow.KIND, command.name, workflow.id)
        return self.workflows.save(workflow, claim=claim)

    @handles(ReviseWorkflow, Permission.AUTHOR)
    def revise(self, command: ReviseWorkflow) -> Receipt:
        workflow = self.workflows.get(command.workflow_id)
        workflow.expect(command.expected_version)
        spec = self.pinning.pinned(command.inputs, command.steps)
        workflow.revise(spec, at=self.clock.now())
        return self.workflows.save(workflow)

    @handles(RetireWorkflow, Permission.DEPLOY)
    def retire(self, command: RetireWorkflow) -> Receipt:
        workflow = self.workflows.get(command.workflow_id)
        workflow.expect(command.expected_version)
        workflow.retire(command.reason, at=self.clock.now())
        return self.workflows.save(workflow)
