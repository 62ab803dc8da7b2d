"""What carries workflows on, and what webhooks are subscribed by, over a memory log."""

from collections.abc import Callable
from itertools import count

from pydantic import JsonValue

from application.bound import BoundPrograms
from application.deeds import Deeds
from application.executions import ExecutionHandlers
from application.lm_ports import JsonObject
from application.record_changes import RecordChanges
from application.records import RecordHandlers
from application.tool_ports import OutsideTool
from application.webhooks import WebhookHandlers
from application.workflow_runs import WorkflowRunHandlers
from application.workflow_wishes import WorkflowPinning
from application.workflows import WorkflowHandlers
from domain.binding.aggregate import Binding
from domain.program.aggregate import Program
from domain.record.aggregate import Record
from domain.tool.aggregate import Tool
from domain.tool.allowance import Allowance
from domain.webhook.aggregate import Webhook
from domain.workflow.aggregate import Workflow
from domain.workflow_run.aggregate import WorkflowRun
from tests.support.memory import FixedClock, MemoryLog, MemoryNames, MemoryRepository
from tests.support.payloads import MemoryPayloads
from tests.support.supplies import ALLOWED


class Shop:
    """Tools that note each call with its key; a test says what they do beside that."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, JsonObject]] = []
        self.keys: list[tuple[str, str | None]] = []
        self.does: Callable[[str], JsonValue] = lambda name: f"{name} is done"

    @property
    def called(self) -> list[str]:
        return [name for name, _ in self.calls]

    def call(
        self, tool: OutsideTool, arguments: JsonObject, *, key: str | None = None
    ) -> JsonValue:
        self.calls.append((tool.name, arguments))
        self.keys.append((tool.name, key))
        return self.does(tool.name)


def records_of(log: MemoryLog, payloads: MemoryPayloads, clock: FixedClock) -> RecordHandlers:
    bound = BoundPrograms(MemoryRepository(Binding, log), MemoryNames(log))
    return RecordHandlers(RecordChanges(MemoryRepository(Record, log), bound, payloads), clock)


def workflow_handlers(
    log: MemoryLog,
    payloads: MemoryPayloads,
    clock: FixedClock,
    running: ExecutionHandlers,
    shop: Shop,
) -> tuple[WorkflowHandlers, WorkflowRunHandlers]:
    workflows = MemoryRepository(Workflow, log)
    programs, tools = MemoryRepository(Program, log), MemoryRepository(Tool, log)
    runs = MemoryRepository(WorkflowRun, log)
    deeds = Deeds(running, shop, records_of(log, payloads, clock))
    pinning = WorkflowPinning(programs, tools, MemoryNames(log), ALLOWED)
    return (
        WorkflowHandlers(workflows, pinning, clock),
        WorkflowRunHandlers(runs, workflows, payloads, deeds, clock, "worker-1"),
    )


def webhook_handlers(log: MemoryLog, clock: FixedClock) -> WebhookHandlers:
    """Events may be sent to ``hooks.example.com``; there is a secret ``crm``."""
    numbers = count(1)
    return WebhookHandlers(
        MemoryRepository(Webhook, log),
        Allowance(hosts=frozenset({"hooks.example.com"})),
        frozenset({"crm"}),
        lambda: f"whsec_{next(numbers)}",
        clock,
    )
