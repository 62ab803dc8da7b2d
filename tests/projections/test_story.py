"""The main job of a tenant, told once, as every read model shows it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.dataset.values import Split
from domain.execution.values import ReplayStatus
from domain.program.values import Stage
from domain.run import RunStatus
from projections.datasets import dataset, datasets, loads
from projections.evaluations import evaluation, evaluations
from projections.executions import execution, executions
from projections.lm_calls import lm_calls, recent_lm_calls
from projections.lm_usage import lm_usage_total
from projections.modules import module, modules
from projections.optimization_board import optimization, optimizations, trials
from projections.program_catalog import program, programs
from projections.program_versions import deployments, program_version, program_versions
from projections.signatures import signature, signatures
from tests.support.histories import GRAPH, NOW, TRIAGE, an_id, ref
from tests.support.projecting import ProjectionScenario
from tests.support.stories import a_story

pytestmark = pytest.mark.postgres


@pytest.fixture
def told(scenario: ProjectionScenario) -> ProjectionScenario:
    story = a_story(tenant=scenario.log.tenant)
    return scenario.given_log(story)


def test_signatures_and_modules_are_listed_and_found_by_name(told: ProjectionScenario) -> None:
    found = {"name": "triage", "version": 1, "revision": 1, "spec": TRIAGE, "retired_at": None}
    told.then_rows(signatures, found)
    told.then_row(lambda store, tenant: signature(store, "triage", tenant=tenant), **found)
    made = {"name": "triage-predict", "signature_id": an_id("signature"), "signature": TRIAGE}
    told.then_rows(modules, made)
    told.then_row(lambda store, tenant: module(store, an_id("module"), tenant=tenant), **made)


@pytest.mark.feature("PRG-04")
def test_prg_04_a_compiled_program_shows_its_training_score(told: ProjectionScenario) -> None:
    row = program(told.models.store, "triage", tenant=told.log.tenant)
    assert row is not None
    assert row.metrics.training_score == 0.75
    assert row.metrics.deployed_score == 0.8
    assert row.config == {"owner": "support"}


def test_a_program_shows_its_stage_and_what_is_live(told: ProjectionScenario) -> None:
    live = {
        "stage": Stage.PRODUCTION,
        "latest_version": 2,
        "deployed_version": 2,
        "version": 5,
        "graph": GRAPH,
    }
    told.then_rows(programs, live)
    told.then_row(lambda store, tenant: program(store, an_id("program"), tenant=tenant), **live)


@pytest.mark.feature("PRG-06")
def test_prg_06_a_version_says_which_optimization_it_was_compiled_from(
    told: ProjectionScenario,
) -> None:
    told.then_rows(
        program_versions,
        {"program_version": 2, "base_version": 1, "compiled_from": an_id("optimization")},
        {"program_version": 1, "base_version": None, "compiled_from": None},
        program_id=an_id("program"),
    )
    told.then_row(
        lambda store, tenant: optimization(store, an_id("optimization"), tenant=tenant),
        adopted_version=2,
    )


def test_a_version_shows_what_it_scored_and_when_it_was_live_and_why(
    told: ProjectionScenario,
) -> None:
    store, tenant = told.models.store, told.log.tenant
    first = program_version(store, an_id("program"), 1, tenant=tenant)
    second = program_version(store, an_id("program"), 2, tenant=tenant)
    assert first is not None
    assert second is not None
    assert [each.score for each in first.scores] == [0.6]
    assert [(each.split, each.score) for each in second.scores] == [(Split.HELDOUT, 0.8)]
    assert first.deployments[0].until == second.deployments[0].deployed_at
    assert second.deployments[0].until is None
    assert [each.score for each in second.deployments[0].evidence] == [0.6, 0.8]
    told.then_rows(
        deployments,
        {"program_version": 2, "previous_version": 1, "reason": "It scores better."},
        {"program_version": 1, "previous_version": None, "reason": "It is the first."},
        program_id=an_id("program"),
    )


def test_every_field_of_a_finished_execution_is_filled(told: ProjectionScenario) -> None:
    row = execution(told.models.store, an_id("execution 1"), tenant=told.log.tenant)
    assert row is not None
    assert row.inputs == ref("inputs")
    assert row.outputs == ref("outputs")
    assert (row.status, row.attempts, row.worker) == (RunStatus.COMPLETED, 1, "worker-1")
    assert row.duration_ms == 400.0
    assert row.requested_at < (row.started_at or NOW) < (row.finished_at or NOW)
    assert row.spend.calls == 1
    assert row.spend.total_tokens == 120
    assert row.spend.cost_usd == Decimal("0.000123")


def test_a_replay_shows_what_it_came_to(told: ProjectionScenario) -> None:
    row = execution(told.models.store, an_id("execution 2"), tenant=told.log.tenant)
    assert row is not None
    assert [(each.replay, each.status) for each in row.replays] == [(1, ReplayStatus.VERIFIED)]
    assert row.replays[0].answered_from_log == 1


@pytest.mark.feature("EXE-02")
def test_exe_02_executions_are_filtered_by_program_version_status_actor_and_time(
    told: ProjectionScenario,
) -> None:
    first, second = {"execution_id": an_id("execution 1")}, {"execution_id": an_id("execution 2")}
    told.then_rows(executions, second, first)
    told.then_rows(executions, second, first, actor="alice", program_id=an_id("program"))
    told.then_rows(executions, second, program_version=2)
    told.then_rows(executions, actor="bob")
    told.then_rows(executions, status=RunStatus.FAILED)
    told.then_rows(executions, second, first, status=RunStatus.COMPLETED)
    row = execution(told.models.store, an_id("execution 2"), tenant=told.log.tenant)
    assert row is not None
    told.then_rows(executions, first, until=row.requested_at)
    told.then_rows(executions, second, since=row.requested_at)


@pytest.mark.feature("TRC-01")
def test_trc_01_the_calls_of_a_run_come_in_order_with_durations_and_tokens(
    told: ProjectionScenario,
) -> None:
    page = lm_calls(told.models.store, an_id("optimization"), tenant=told.log.tenant)
    assert [each.request for each in page.rows] == [ref("trial 1"), ref("trial 2")]
    assert {(each.latency_ms, each.usage.total_tokens) for each in page.rows} == {(350.0, 120)}
    assert {each.run for each in page.rows} == {"optimization"}


def test_the_last_calls_come_newest_first(told: ProjectionScenario) -> None:
    page = recent_lm_calls(told.models.store, tenant=told.log.tenant, limit=3)
    assert [each.run_id for each in page.rows] == [
        an_id("execution 2"),
        an_id("evaluation 2"),
        an_id("optimization"),
    ]
    positions = [each.position for each in page.rows]
    assert positions == sorted(positions, reverse=True)


def test_the_optimization_board_shows_trials_and_the_best_so_far(told: ProjectionScenario) -> None:
    told.then_rows(
        optimizations,
        {"trials": 2, "best_score": 0.75, "best_trial": 2, "status": RunStatus.COMPLETED},
        program_id=an_id("program"),
    )
    told.then_rows(
        trials,
        {"trial": 1, "score": 0.5, "candidate": ref("candidate 1")},
        {"trial": 2, "score": 0.75},
        optimization_id=an_id("optimization"),
    )


@pytest.mark.feature("EXE-08")
def test_exe_08_one_unknown_cost_makes_the_sum_of_a_run_unknown(told: ProjectionScenario) -> None:
    row = optimization(told.models.store, an_id("optimization"), tenant=told.log.tenant)
    assert row is not None
    assert row.spend.calls == 2
    assert row.spend.total_tokens == 240
    assert row.spend.cached_tokens is None
    assert row.spend.cost_usd is None


def test_evaluations_show_their_score(told: ProjectionScenario) -> None:
    told.then_rows(
        evaluations,
        {"program_version": 2, "score": 0.8, "rows_failed": 0, "rows": ref("scored rows")},
        {"program_version": 1, "score": 0.6, "dataset_rows": 30, "metric": "exact_match"},
        dataset_id=an_id("dataset"),
    )
    told.then_row(
        lambda store, tenant: evaluation(store, an_id("evaluation 1"), tenant=tenant), score=0.6
    )


def test_the_size_of_a_dataset_is_the_sum_of_its_loads(told: ProjectionScenario) -> None:
    told.then_rows(
        datasets,
        {"train_rows": 20, "heldout_rows": 30, "size": 50, "fields": ("message", "queue")},
    )
    told.then_row(lambda store, tenant: dataset(store, "tickets", tenant=tenant), loads=2)
    told.then_rows(
        loads, {"split": Split.HELDOUT}, {"split": Split.TRAIN}, dataset_id=an_id("dataset")
    )


@pytest.mark.feature("DST-03")
def test_dst_03_the_optimizations_of_a_dataset_are_listed(told: ProjectionScenario) -> None:
    told.then_rows(
        optimizations, {"optimization_id": an_id("optimization")}, dataset_id=an_id("dataset")
    )
    told.then_rows(optimizations, dataset_id=an_id("another dataset"))


def test_usage_sums_known_costs_and_counts_the_unknown(told: ProjectionScenario) -> None:
    total = lm_usage_total(told.models.store, tenant=told.log.tenant)
    assert total.calls == 6
    assert total.cost_usd == Decimal("0.000492")
    assert total.calls_with_unknown_cost == 2
    assert total.average_latency_ms == 350.0
    tomorrow = NOW.date() + timedelta(days=1)
    nothing = lm_usage_total(told.models.store, tenant=told.log.tenant, since=tomorrow)
    assert nothing.calls == 0
    assert nothing.cost_usd == Decimal(0)
    assert nothing.average_latency_ms == 0.0


def test_another_tenant_sees_nothing_of_it(told: ProjectionScenario) -> None:
    store = told.models.store
    assert programs(store, tenant="stranger").rows == ()
    assert execution(store, an_id("execution 1"), tenant="stranger") is None
    assert lm_usage_total(store, tenant="stranger").calls == 0


@pytest.mark.feature("MOD-04")
def test_mod_04_the_calls_of_a_module_come_newest_first(told: ProjectionScenario) -> None:
    store, tenant = told.models.store, told.log.tenant
    page = recent_lm_calls(store, tenant=tenant, module_id=an_id("module"))
    assert {each.module_id for each in page.rows} == {an_id("module")}
    assert page.rows == recent_lm_calls(store, tenant=tenant).rows
    assert recent_lm_calls(store, tenant=tenant, module_id=an_id("another")).rows == ()
