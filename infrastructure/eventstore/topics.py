"""The closed registry: which stored topic means which event class, and no other."""

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any

from domain.access.events import ApiKeyEvent
from domain.batch.events import BatchEvent
from domain.binding.events import BindingEvent
from domain.budget.events import BudgetEvent
from domain.cache.events import CachePurged
from domain.dataset.events import DatasetEvent
from domain.evaluation.events import EvaluationEvent
from domain.execution.events import ExecutionEvent
from domain.kernel import Event, members
from domain.module.events import ModuleEvent
from domain.optimization.events import OptimizationEvent
from domain.parking.events import ParkingEvent
from domain.price.events import PriceEvent
from domain.probe.events import ProbeEvent
from domain.program.events import ProgramEvent
from domain.provider.events import DefaultProviderEvent, ProviderEvent
from domain.queue.events import QueueEvent
from domain.record.events import RecordEvent
from domain.route.events import RouteEvent
from domain.signature.events import SignatureEvent
from domain.tool.events import ToolEvent
from domain.webhook.events import WebhookEvent
from domain.workflow.events import WorkflowEvent
from domain.workflow_run.events import WorkflowRunEvent

Registry = Mapping[str, type[Event]]

UNIONS = (
    SignatureEvent,
    ModuleEvent,
    ProgramEvent,
    DatasetEvent,
    ExecutionEvent,
    BatchEvent,
    OptimizationEvent,
    EvaluationEvent,
    ProbeEvent,
    ToolEvent,
    WorkflowEvent,
    WorkflowRunEvent,
    WebhookEvent,
    ApiKeyEvent,
    BudgetEvent,
    ProviderEvent,
    DefaultProviderEvent,
    RouteEvent,
    PriceEvent,
    CachePurged,
    RecordEvent,
    BindingEvent,
    ParkingEvent,
    QueueEvent,
)


class TopicIsTaken(TypeError):
    """Two event classes claim one topic, so what is stored under it would be ambiguous."""

    def __init__(self, topic: str, first: type[Event], second: type[Event]) -> None:
        super().__init__(
            f"{first.__name__} and {second.__name__} both have the topic {topic!r}; rename one."
        )


def registry(unions: Iterable[UnionType | Any]) -> Registry:
    """Every event of *unions* by its topic.

    Raises:
        TopicIsTaken: Two classes have the same topic.
    """
    found: dict[str, type[Event]] = {}
    for union in unions:
        for event in members(union):
            topic = event.TOPIC
            if topic in found:
                raise TopicIsTaken(topic, found[topic], event)
            found[topic] = event
    return found


EVENTS = registry(UNIONS)
