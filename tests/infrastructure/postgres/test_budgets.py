"""Budgets against a real log: the rows are the sum of the events, and never below nothing."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from application.budgets import BudgetHandlers, CloseBudget, GrantCredit, OpenBudget, ReviseBudget
from application.context import within
from application.credit import Standing, set_aside
from application.errors import ConcurrentWrite
from application.fresh import FRESH_S
from application.payloads import Payload
from application.ports import Receipt
from domain.budget.aggregate import Budget
from domain.budget.errors import BudgetExists, BudgetIsSpent
from domain.budget.events import BudgetGranted, BudgetRevised
from domain.budget.values import Cover
from domain.execution.aggregate import Execution
from domain.execution.values import Hold
from domain.values import Failure
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.budgets import PostgresCredit, write_budgets
from infrastructure.postgres.pool import Pool, open_pool
from tests.support.credit import standings
from tests.support.memory import NOW, FixedClock
from tests.support.run_world import CONTEXT
from tests.support.runs import answered

EVERYTHING = Cover()
PROGRAM = UUID(int=7)
INPUTS = Payload.of({"message": "It crashes."})
BROKEN = Failure(code="broken", message="It broke.")


class Process:
    """What one process has: a log, budgets and executions over one database."""

    def __init__(self, pool: Pool) -> None:
        self.log = EventLog(PostgresRecorder(pool), inline=[write_budgets])
        self.now_s = 0.0
        self.credit = PostgresCredit(pool, lambda: self.now_s)
        self.executions = EventSourcedRepository(self.log, Execution)
        budgets = EventSourcedRepository(self.log, Budget)
        self.handlers = BudgetHandlers(budgets, self.credit, FixedClock())

    def open(self, cover: Cover = EVERYTHING, *, usd: Decimal | int = 0, hold: int = 1) -> UUID:
        budget_id = uuid4()
        hold_usd = Decimal(hold)
        self.handlers.open(OpenBudget(budget_id=budget_id, cover=cover, hold_usd=hold_usd))
        if usd:
            self.handlers.grant(GrantCredit(budget_id=budget_id, usd=Decimal(usd)))
        return budget_id

    def request(self) -> UUID:
        """What the handler of executions does, its program left out."""
        execution_id = uuid4()

        def store(holds: Sequence[Hold]) -> Receipt:
            run = Execution.request(
                execution_id,
                program_id=PROGRAM,
                program_version=1,
                inputs=INPUTS.ref,
                holds=holds,
                at=NOW,
            )
            return self.executions.save(run)

        set_aside(self.credit, PROGRAM, store)
        return execution_id

    def end(self, execution_id: UUID, how: Callable[[Execution], None]) -> None:
        run = self.executions.get(execution_id)
        run.start("worker-1", at=NOW)
        how(run)
        self.executions.save(run)

    def rows(self) -> dict[UUID, Standing]:
        return {each.budget_id: each for each in self.credit.standings()}

    def told(self) -> dict[UUID, Standing]:
        """The same by brute force: the sum over all events of the log."""
        found = standings(self.log.events(0, 10_000, tenant=CONTEXT.tenant))
        return {key: replace(each, opened_at=NOW) for key, each in found.items()}


@pytest.fixture
def processes(database: str) -> Iterator[Sequence[Process]]:
    """Two processes over one database; each test acts within a context."""
    with ExitStack() as stack:
        stack.enter_context(within(CONTEXT))
        made = [
            stack.enter_context(open_pool(database, min_size=1, max_size=9, name=f"test-{n}"))
            for n in range(2)
        ]
        yield [Process(pool) for pool in made]


def complete(cost: Decimal | None) -> Callable[[Execution], None]:
    def how(run: Execution) -> None:
        run.record_call(answered("first")[0].model_copy(update={"cost_usd": cost}), at=NOW)
        run.complete(INPUTS.ref, duration_ms=1, at=NOW)

    return how


def fail(run: Execution) -> None:
    run.fail(BROKEN, duration_ms=1, at=NOW)


@pytest.mark.feature("CRD-01")
def test_crd_01_of_fifty_runs_at_once_a_balance_of_ten_takes_ten(
    processes: Sequence[Process],
) -> None:
    """F-27: credit is not spent twice, whoever asks and wherever."""
    budget_id = processes[0].open(usd=10)

    def ask(number: int) -> bool:
        with within(CONTEXT):
            try:
                processes[number % 2].request()
            except BudgetIsSpent:
                return False
            return True

    with ThreadPoolExecutor(16) as threads:
        accepted = list(threads.map(ask, range(50)))
    assert accepted.count(True) == 10
    found = processes[0].rows()[budget_id]
    assert (found.left_usd, found.held_usd, found.charged_usd) == (0, 10, 0)
    assert processes[0].told() == processes[1].rows()


@pytest.mark.feature("CRD-01")
def test_crd_01_what_was_refused_is_taken_again_once_something_is_given_back(
    processes: Sequence[Process],
) -> None:
    here, there = processes
    here.open(usd=2)
    first, _ = here.request(), there.request()
    with pytest.raises(BudgetIsSpent, match="has 0 USD left, and a run sets 1 aside"):
        here.request()
    there.end(first, fail)
    here.request()


def test_a_run_that_costs_more_than_it_held_overdraws_and_stops_the_next(
    processes: Sequence[Process],
) -> None:
    here, _ = processes
    budget_id = here.open(usd=2)
    here.end(here.request(), complete(Decimal("3.5")))
    found = here.rows()[budget_id]
    assert (found.left_usd, found.charged_usd, found.overdrawn_usd) == (0, Decimal("3.5"), 1.5)
    with pytest.raises(BudgetIsSpent):
        here.request()
    here.handlers.grant(GrantCredit(budget_id=budget_id, usd=Decimal(2)))
    assert here.rows()[budget_id].left_usd == Decimal("0.5")
    assert here.told() == here.rows()


def test_a_run_whose_cost_nobody_knows_costs_what_it_held_and_is_counted(
    processes: Sequence[Process],
) -> None:
    here, _ = processes
    budget_id = here.open(usd=2)
    here.end(here.request(), complete(None))
    found = here.rows()[budget_id]
    assert (found.left_usd, found.charged_usd, found.unpriced) == (1, 1, 1)


def test_the_same_runs_have_one_open_budget(processes: Sequence[Process]) -> None:
    here, there = processes
    first = here.open()
    with pytest.raises(BudgetExists, match="covers tenant already"):
        there.open()
    here.handlers.close(CloseBudget(budget_id=first))
    second = there.open(usd=1)
    assert [each.budget_id for each in here.credit.standings()] == [second, first]


def test_another_process_hears_of_a_budget_within_a_second(
    processes: Sequence[Process],
) -> None:
    here, there = processes
    there.request()
    here.open()
    there.now_s = FRESH_S
    with pytest.raises(BudgetIsSpent):
        there.request()


def test_other_tenants_pay_for_themselves(processes: Sequence[Process]) -> None:
    here, _ = processes
    here.open()
    with within(replace(CONTEXT, tenant="other")):
        assert here.credit.holds(PROGRAM) == ()
        assert here.credit.standings() == []


def test_a_request_that_is_repeated_in_the_same_moment_holds_once(
    processes: Sequence[Process],
) -> None:
    here, there = processes
    budget_id = here.open(usd=1)
    with within(replace(CONTEXT, command_id="key", fingerprint="the same")):
        there.credit.holds(PROGRAM)  # it saw what was left before the first one came
        first = here.request()
        hold = Hold(budget_id=budget_id, usd=Decimal(1))
        run = Execution.request(
            uuid4(), program_id=PROGRAM, program_version=1, inputs=INPUTS.ref, holds=[hold], at=NOW
        )
        assert there.executions.save(run).id == first
    assert here.rows()[budget_id].held_usd == 1


def test_a_zombie_settles_nothing_twice(processes: Sequence[Process]) -> None:
    here, there = processes
    budget_id = here.open(usd=5)
    execution_id = here.request()
    twins = [process.executions.get(execution_id) for process in processes]
    for run in twins:
        run.start("worker", at=NOW)
        run.complete(INPUTS.ref, duration_ms=1, at=NOW)
    here.executions.save(twins[0])
    with pytest.raises(ConcurrentWrite):
        there.executions.save(twins[1])
    assert here.rows()[budget_id].held_usd == 0
    assert here.told() == here.rows()


steps = st.lists(
    st.one_of(
        st.just(("request", 0)),
        st.just(("request", 0)),
        st.tuples(st.sampled_from(["complete", "fail", "unpriced"]), st.integers(0, 300)),
        st.tuples(st.just("grant"), st.integers(1, 300)),
        st.tuples(st.just("revise"), st.integers(1, 200)),
    ),
    max_size=25,
)


@pytest.mark.feature("CRD-01")
@settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps)
def test_crd_01_whatever_happens_the_balance_is_the_sum_of_the_events_and_never_below_nothing(
    processes: Sequence[Process], story: list[tuple[str, int]]
) -> None:
    here, _ = processes
    cover = Cover(kind="program", of=str(PROGRAM))
    for each in here.credit.standings():
        here.handlers.close(CloseBudget(budget_id=each.budget_id))
    budget_id = here.open(cover, usd=2)
    under_way: list[UUID] = []
    for what, cents in story:
        usd: Any = Decimal(cents) / 100
        match what:
            case "request":
                try:
                    under_way.append(here.request())
                except BudgetIsSpent:
                    assert here.rows()[budget_id].left_usd < here.rows()[budget_id].hold_usd
            case "grant":
                here.handlers.grant(GrantCredit(budget_id=budget_id, usd=usd))
            case "revise":
                here.handlers.revise(ReviseBudget(budget_id=budget_id, hold_usd=usd))
            case _ if under_way:
                how = {"complete": complete(usd), "unpriced": complete(None), "fail": fail}[what]
                here.end(under_way.pop(), how)
            case _:
                pass
        rows = here.rows()
        assert rows[budget_id].left_usd >= 0
        assert replace(rows[budget_id], opened_at=NOW) == here.told()[budget_id]


def test_what_changes_several_budgets_takes_them_in_the_order_of_their_ids(
    processes: Sequence[Process], database: str
) -> None:
    """Else two processes, each with one that the other waits for, would wait for each other."""
    here = processes[0]
    low, high = sorted([here.open(), here.open(Cover(kind="actor", of="bob"))])
    [opened] = here.log.history(high)
    revision = BudgetRevised(hold_usd=Decimal(2), alert_below_usd=None)
    grant = BudgetGranted(usd=Decimal(1), reason="For June.")
    changes = [
        replace(opened, event=revision),
        replace(opened, originator_id=low, event=grant),
    ]
    with (
        ThreadPoolExecutor(1) as threads,
        psycopg.connect(database, autocommit=True) as watch,
        psycopg.connect(database) as second,
        psycopg.connect(database) as first,
    ):
        locked = "SELECT hold_usd FROM stratal.budgets WHERE budget_id = %s FOR UPDATE NOWAIT"
        first.execute(locked, [low])
        written = threads.submit(write_budgets, second.cursor(), changes, ())
        waits = """SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        while not watch.execute(waits).fetchall():
            assert not written.done()
        first.execute(locked, [high])
        first.rollback()
        written.result()
