"""The lists that people look at stay fast as tables grow: an index serves each of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from domain.execution.events import ReplayRequested, ReplayVerified
from domain.kernel import Event
from projections.audit_trail import audit
from projections.bindings import binding, bindings
from projections.costs import CostFilters, costs_total, monthly_costs
from projections.datasets import dataset, datasets
from projections.evaluations import Evaluations, evaluations
from projections.execution_periods import execution_periods
from projections.executions import Executions, execution, executions, replayable
from projections.kernel import Projection
from projections.lm_calls import lm_calls, recent_lm_calls
from projections.lm_usage import lm_usage
from projections.modules import modules
from projections.optimization_board import OptimizationBoard, optimizations, trials
from projections.prices import prices
from projections.probes import Probes, probes
from projections.program_catalog import program, programs
from projections.program_versions import deployments, program_versions
from projections.records import calls, calls_of_binding, forgotten_calls, record, records
from projections.signatures import signature, signatures
from projections.unfinished import unfinished_work
from tests.support import histories as build
from tests.support.histories import NOW, Log, an_id
from tests.support.postgres import copy_of
from tests.support.prices import price_set
from tests.support.probes import a_probe
from tests.support.projecting import Eavesdropper, ReadModels, for_tenant, read_models, writes_of
from tests.support.records import a_binding, a_record

pytestmark = pytest.mark.postgres

Query = Callable[[Any], object]
REPLAYED = ReplayVerified(replay=1, answered_from_log=1, duration_ms=1)
TENANT, ID = "tenant-1", an_id("7")


@pytest.fixture(scope="module")
def grown(cluster: str, template: str) -> Iterator[ReadModels]:
    """Tables of a few tenants with some rows each."""
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as opened:
        log = _a_long_log()
        for number in range(6):
            opened.project(for_tenant(f"tenant-{number}", log.recorded))
        opened.tables.connection.execute("ANALYZE")
        yield opened


def _a_long_log() -> Log:
    log = Log()
    for number in range(40):
        name = str(number)
        log.append(an_id(f"s{number}"), build.signature_defined(name))
        log.append(an_id(f"m{number}"), build.module_created(name, f"s{number}"))
        log.append(an_id(f"d{number}"), build.dataset_created(name), build.rows_loaded())
        log.append(an_id(f"p{number}"), build.program_created(name))
        log.append(an_id(f"o{number}"), *build.an_optimization())
        compiled = build.program_compiled(optimization=f"o{number}")
        log.append(an_id(f"p{number}"), compiled, build.program_deployed())
        log.append(an_id(f"v{number}"), *build.an_evaluation())
        log.append(an_id(f"b{number}"), *a_probe())
        log.append(an_id(f"price {number}"), price_set(model=f"model-{number}"))
        log.append(an_id(f"r{number}"), *a_record(name)[:4])
        log.append(an_id(f"bound {number}"), *a_binding(f"b.{number}"))
        log.append(an_id(name), *build.an_execution(program=f"p{number}"))
        log.append(an_id(name), ReplayRequested(replay=1), REPLAYED)
    return log


QUERIES: dict[str, tuple[str, Query]] = {
    "signatures": ("signature_newest", lambda store: signatures(store, tenant=TENANT, limit=5)),
    "signature by name": ("signature_name", lambda store: signature(store, "7", tenant=TENANT)),
    "modules": ("module_newest", lambda store: modules(store, tenant=TENANT, limit=5)),
    "programs": ("program_newest", lambda store: programs(store, tenant=TENANT, after=(100,))),
    "program by name": ("program_name", lambda store: program(store, "7", tenant=TENANT)),
    "versions": (
        "program_version_newest",
        lambda store: program_versions(store, an_id("p7"), tenant=TENANT),
    ),
    "deployments": (
        "program_deployment_pkey",
        lambda store: deployments(store, an_id("p7"), tenant=TENANT),
    ),
    "executions": ("execution_newest", lambda store: executions(store, tenant=TENANT, limit=10)),
    "executions after": (
        "execution_newest",
        lambda store: executions(store, tenant=TENANT, after=(500,)),
    ),
    "executions of a program": (
        "execution_program",
        lambda store: executions(store, tenant=TENANT, program_id=an_id("p7")),
    ),
    "executions to replay": (
        "execution_newest",
        lambda store: replayable(store, tenant=TENANT, unless_replayed_since=NOW, limit=10),
    ),
    "executions by the hour": (
        "execution_time",
        lambda store: execution_periods(store, tenant=TENANT, since=NOW, until=NOW),
    ),
    "execution": ("execution_pkey", lambda store: execution(store, ID, tenant=TENANT)),
    "calls of a run": ("lm_call_by_run", lambda store: lm_calls(store, ID, tenant=TENANT)),
    "recent calls": (
        "lm_call_pkey",
        lambda store: recent_lm_calls(store, tenant=TENANT, limit=10),
    ),
    "what a run cost": (
        "lm_call_by_run",
        lambda store: costs_total(store, CostFilters(run_id=ID), tenant=TENANT),
    ),
    "what programs cost in a month": (
        "lm_call_cost",
        lambda store: monthly_costs(store, tenant=TENANT, now=NOW, program_ids=[an_id("p7")]),
    ),
    "the price book": ("lm_price_pkey", lambda store: prices(store, tenant=TENANT)),
    "optimizations": (
        "optimization_newest",
        lambda store: optimizations(store, tenant=TENANT, limit=10),
    ),
    "trials": (
        "optimization_trial_pkey",
        lambda store: trials(store, an_id("o7"), tenant=TENANT),
    ),
    "evaluations": (
        "evaluation_newest",
        lambda store: evaluations(store, tenant=TENANT, limit=10),
    ),
    "probes": ("probe_newest", lambda store: probes(store, tenant=TENANT, limit=10)),
    "datasets": ("dataset_newest", lambda store: datasets(store, tenant=TENANT, limit=10)),
    "dataset by name": ("dataset_name", lambda store: dataset(store, "7", tenant=TENANT)),
    "records": (
        "record_newest",
        lambda store: records(store, "post", tenant=TENANT, limit=10),
    ),
    "record": ("record_pkey", lambda store: record(store, "post", an_id("r7"), tenant=TENANT)),
    "calls of a record": (
        "record_call_newest",
        lambda store: calls(store, an_id("r7"), tenant=TENANT),
    ),
    "calls of a binding": (
        "record_call_binding",
        lambda store: calls_of_binding(store, an_id("binding"), tenant=TENANT),
    ),
    "calls that nobody follows": (
        "record_call_open",
        lambda store: forgotten_calls(store, 60),
    ),
    "bindings": ("binding_newest", lambda store: bindings(store, tenant=TENANT, limit=10)),
    "binding by name": ("binding_name", lambda store: binding(store, "b.7", tenant=TENANT)),
    "audit": ("audit_entry_pkey", lambda store: audit(store, tenant=TENANT, limit=10)),
    "audit of a thing": (
        "audit_entry_aggregate",
        lambda store: audit(store, tenant=TENANT, aggregate_id=ID),
    ),
    "audit of a reason": (
        "audit_entry_correlation",
        lambda store: audit(store, tenant=TENANT, correlation_id=ID),
    ),
    "audit of a topic": (
        "audit_entry_topic",
        lambda store: audit(store, tenant=TENANT, topics=("program.deployed",)),
    ),
    "audit of a command": (
        "audit_entry_command",
        lambda store: audit(store, tenant=TENANT, command="CauseProgramDeployed"),
    ),
    "audit of a time": (
        "audit_entry_time",
        lambda store: audit(store, tenant=TENANT, since=NOW, until=NOW, limit=10),
    ),
    "usage": ("lm_usage_pkey", lambda store: lm_usage(store, tenant=TENANT, limit=10)),
    "unfinished work": ("execution_unfinished", lambda store: unfinished_work(store, 60)),
}


@pytest.mark.parametrize(
    ("projection", "table", "events"),
    [
        (Executions(), "execution", build.an_execution()),
        (OptimizationBoard(), "optimization", build.an_optimization()),
        (Evaluations(), "evaluation", build.an_evaluation()),
        (Probes(), "probe", a_probe()),
    ],
    ids=["executions", "optimizations", "evaluations", "probes"],
)
def test_an_event_finds_its_row_by_the_key(
    grown: ReadModels, projection: Projection, table: str, events: tuple[Event, ...]
) -> None:
    log = Log(tenant=TENANT)
    log.append(ID, *events)
    updates = [each for each in writes_of(projection, log.recorded) if "UPDATE" in each.sql]
    for update in updates:
        assert f"{table}_pkey" in grown.explain(update.sql, update.params)


@pytest.mark.parametrize(("index", "query"), QUERIES.values(), ids=QUERIES.keys())
def test_an_index_serves_the_query(grown: ReadModels, index: str, query: Query) -> None:
    listening = Eavesdropper(grown.store)
    query(listening)
    (asked,) = listening.asked
    plan = grown.explain(*asked)
    assert index in plan
    assert "Seq Scan" not in plan


KEPT: dict[str, tuple[tuple[str, ...], Query]] = {
    "signature by name": (
        ("signature_name", "signature_past_pkey"),
        lambda store: signature(store, "7", tenant=TENANT),
    ),
    "modules": (
        ("module_newest", "module_past_pkey"),
        lambda store: modules(store, tenant=TENANT, limit=5),
    ),
    "program": (
        ("program_pkey", "program_past_pkey"),
        lambda store: program(store, an_id("p7"), tenant=TENANT),
    ),
    "programs": (
        ("program_newest", "program_past_pkey"),
        lambda store: programs(store, tenant=TENANT, limit=5, after=(100,)),
    ),
    "versions": (
        ("program_version_newest", "program_deployment_pkey"),
        lambda store: program_versions(store, an_id("p7"), tenant=TENANT),
    ),
    "deployments": (
        ("program_deployment_pkey",),
        lambda store: deployments(store, an_id("p7"), tenant=TENANT),
    ),
    "datasets": (
        ("dataset_newest", "dataset_past_pkey"),
        lambda store: datasets(store, tenant=TENANT, limit=5),
    ),
    "records": (
        ("record_newest", "record_past_pkey"),
        lambda store: records(store, "post", tenant=TENANT, limit=5),
    ),
    "calls of a record": (
        ("record_call_newest", "record_call_end_pkey"),
        lambda store: calls(store, an_id("r7"), tenant=TENANT),
    ),
    "binding": (
        ("binding_pkey", "binding_past_pkey"),
        lambda store: binding(store, an_id("bound 7"), tenant=TENANT),
    ),
    "audit": (("audit_entry_pkey",), lambda store: audit(store, tenant=TENANT, limit=10)),
    "audit of a thing": (
        ("audit_entry_aggregate",),
        lambda store: audit(store, tenant=TENANT, aggregate_id=ID),
    ),
}


@pytest.mark.parametrize(("indexes", "query"), KEPT.values(), ids=KEPT.keys())
def test_indexes_serve_the_query_about_the_past(
    grown: ReadModels, indexes: tuple[str, ...], query: Query
) -> None:
    listening = Eavesdropper(grown.store)
    query(listening)
    ((sql, params),) = listening.asked
    (of,) = listening.about
    past = f"WITH {', '.join(of.past)} {sql}"
    plan = grown.explain(past, {**params, "as_of": 300})
    assert [index for index in indexes if index not in plan] == []
    assert "Seq Scan" not in plan
