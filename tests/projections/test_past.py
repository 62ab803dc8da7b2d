"""Questions about the past are answered as they would have been answered then."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from application.context import within
from domain.access.aggregate import ApiKey
from domain.binding.aggregate import Binding
from domain.dataset.aggregate import Dataset
from domain.evaluation.aggregate import Evaluation
from domain.execution.aggregate import Execution
from domain.module.aggregate import Module
from domain.optimization.aggregate import Optimization
from domain.probe.aggregate import Probe
from domain.program.aggregate import Program
from domain.record.aggregate import Record
from domain.signature.aggregate import Signature
from domain.tool.aggregate import Tool
from domain.webhook.aggregate import Webhook
from domain.workflow.aggregate import Workflow
from domain.workflow_run.aggregate import WorkflowRun
from infrastructure.eventstore.past_fold import PastFold
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.past_store import PostgresPast
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.read_store import PostgresReadStore
from projections.bindings import binding
from projections.datasets import dataset
from projections.evaluations import evaluation
from projections.executions import execution
from projections.kernel import Projection
from projections.keys import key
from projections.modules import module
from projections.optimization_board import optimization
from projections.probes import probe
from projections.program_catalog import program
from projections.records import record
from projections.signatures import signature
from projections.tools import tool
from projections.webhooks import webhook
from projections.workflow_runs import workflow_run
from projections.workflows import workflow
from tests.contracts.repository import CONTEXT
from tests.support.histories import Log
from tests.support.legal_histories import logs
from tests.support.projecting import ReadModels, for_tenant
from tests.support.questions import asked, of_its_own
from tests.support.stories import everything

pytestmark = pytest.mark.postgres

property_test = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


AGGREGATES: Mapping[str, type[Any]] = {
    each.KIND: each
    for each in (
        Signature,
        Module,
        Program,
        Dataset,
        Execution,
        Optimization,
        Evaluation,
        Probe,
        Tool,
        Workflow,
        WorkflowRun,
        Webhook,
        Record,
        Binding,
        ApiKey,
    )
}
QUERIES: Mapping[str, Callable[..., Any]] = {
    "signature": signature,
    "probe": probe,
    "tool": tool,
    "workflow": workflow,
    "workflow_run": workflow_run,
    "webhook": webhook,
    "record": lambda store, of, *, tenant: record(store, "post", of, tenant=tenant),
    "binding": binding,
    "api_key": key,
    "module": module,
    "program": program,
    "dataset": dataset,
    "execution": execution,
    "optimization": optimization,
    "evaluation": evaluation,
}
STATE: Mapping[str, Sequence[str]] = {
    "signature": ("version", "revision", "spec", "content_hash"),
    "module": ("version",),
    "record": ("version", "resource", "data"),
    "binding": ("version", "name", "spec", "status"),
    "program": ("version", "config", "stage", "latest_version"),
    "dataset": ("version", "purpose", "fields"),
    "execution": ("version", "status", "program_version", "inputs", "outputs"),
    "optimization": ("version", "status"),
    "evaluation": ("version", "status"),
    "probe": ("version", "status", "promise", "findings"),
    "tool": ("version", "spec"),
    "workflow": ("version",),
    "workflow_run": ("version", "status", "workflow_version"),
    "webhook": ("version", "status", "secret"),
    "api_key": ("version", "name", "expires_at"),
}
"""What an aggregate and its read model call by the same name, texts left out: those are mended."""


class Forgetful(PostgresReadStore):
    """Read models that keep nothing of their past."""

    def keeps(self, of: type[Projection], position: int, timeout_s: float) -> bool:
        return False


@dataclass
class World:
    """The log in Postgres, the read models of it, and two ways to ask about the past."""

    models: ReadModels
    log: EventLog
    kept: PostgresPast
    folded: PostgresPast

    def happened(self, log: Log) -> "Happened":
        """Put *log* into the real one, as something new."""
        tenant = f"tenant-{uuid4().hex}"
        before = self.log.head()
        self.log.append(of_its_own(tenant, tenant, log.recorded))
        return Happened(self, tenant, before)


@dataclass
class Happened:
    """What a tenant did, beginning after the position *before*."""

    world: World
    tenant: str
    before: int

    def __post_init__(self) -> None:
        self.recorded = self.world.log.events(self.before, 10_000, tenant=self.tenant)
        self.ids = sorted({each.originator_id for each in self.recorded})

    def cut(self, share: float) -> int:
        """A position somewhere within."""
        return self.before + round(share * len(self.recorded))

    def rebuilt(self, position: int) -> Mapping[str, object]:
        """The answers over read models that have seen the log up to *position* and no more."""
        other = f"tenant-{uuid4().hex}"
        part = [each for each in self.recorded if (each.position or 0) <= position]
        if part:
            self.world.models.project(for_tenant(other, part))
        return asked(self.world.models.store, other, self.ids)

    def live(self) -> Mapping[str, object]:
        self.world.models.project(for_tenant(self.tenant, self.recorded))
        return asked(self.world.models.store, self.tenant, self.ids)

    def past(self, of: PostgresPast, position: int) -> Mapping[str, object]:
        with of.at(self.tenant, position) as store:
            return asked(store, self.tenant, self.ids)


def differing(
    found: Mapping[str, object], expected: Mapping[str, object]
) -> Mapping[str, tuple[object, object]]:
    """The questions that have another answer than *expected*, with both."""
    assert found.keys() == expected.keys()
    return {each: (found[each], expected[each]) for each in found if found[each] != expected[each]}


@pytest.fixture(scope="module")
def world(models: ReadModels) -> Iterator[World]:
    conninfo = models.tables.connection.info.dsn
    with open_pool(conninfo, min_size=1, max_size=3, name="past") as pool:
        log, fold = EventLog(PostgresRecorder(pool)), PastFold()
        kept = PostgresReadStore(pool, models.projections)
        forgetful = Forgetful(pool, models.projections)
        yield World(
            models, log, PostgresPast(pool, kept, fold), PostgresPast(pool, forgetful, fold)
        )


@pytest.mark.feature("AUD-02")
@property_test
@example(log=everything(), share=26 / 57)  # while the second evaluation runs
@example(log=everything(), share=29 / 57)  # right when its version goes live
@given(log=logs(), share=st.floats(0, 1))
def test_as_of_a_position_is_what_a_rebuild_up_to_there_would_show(
    world: World, log: Log, share: float
) -> None:
    happened = world.happened(log)
    position = happened.cut(share)
    expected = happened.rebuilt(position)
    happened.live()
    assert differing(happened.past(world.kept, position), expected) == {}
    assert differing(happened.past(world.folded, position), expected) == {}


@pytest.mark.feature("AUD-02")
@property_test
@example(log=everything())
@given(log=logs())
def test_as_of_now_is_what_is_live(world: World, log: Log) -> None:
    happened = world.happened(log)
    live = happened.live()
    head = world.log.head()
    assert differing(happened.past(world.kept, head), live) == {}
    assert differing(happened.past(world.folded, head), live) == {}
    assert any(live.values())


@pytest.mark.feature("AUD-02")
@property_test
@example(log=everything(), share=0.9)
@given(log=logs(), share=st.floats(0, 1))
def test_the_state_as_of_an_event_is_the_fold_of_the_events_up_to_it(
    world: World, log: Log, share: float
) -> None:
    happened = world.happened(log)
    happened.live()
    position = happened.cut(share)
    until = [each for each in happened.recorded if (each.position or 0) <= position]
    versions = Counter(each.originator_id for each in until)
    kinds = {each.originator_id: each.event.TOPIC.partition(".")[0] for each in happened.recorded}
    kinds = {stream: kind for stream, kind in kinds.items() if kind in AGGREGATES}
    with (
        world.kept.at(happened.tenant, position) as store,
        within(replace(CONTEXT, tenant=happened.tenant)),
    ):
        for stream, kind in kinds.items():
            row = QUERIES[kind](store, stream, tenant=happened.tenant)
            if not (version := versions[stream]):
                assert row is None
                continue
            then = EventSourcedRepository(world.log, AGGREGATES[kind]).get(stream, version=version)
            told = {name: getattr(row, name) for name in STATE[kind]}
            assert told == {name: getattr(then, name) for name in STATE[kind]}
