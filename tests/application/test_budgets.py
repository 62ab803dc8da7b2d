"""What runs set aside, and what they are charged in the end, through every kind of end."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.budgets import CloseBudget, GrantCredit, OpenBudget, ReviseBudget, WatchBudget
from application.context import within
from application.credit import NO_CREDIT, Standing
from application.errors import AggregateNotFound, ConcurrentWrite, RuleRefused
from application.executions import CancelExecution, RequestExecution, RunExecution
from application.lm_ports import ProgramFailed
from application.policies.watching import watching
from domain.budget.errors import BudgetExists, BudgetIsSpent
from domain.budget.events import BudgetRanLow
from domain.budget.values import Cover
from domain.errors import StaleVersion
from domain.execution.events import ExecutionCompleted, ExecutionCreditHeld, ExecutionCreditSettled
from tests.support.run_world import CONTEXT, World
from tests.support.runs import BROKEN


@pytest.fixture
def world() -> World:
    return World()


def opened(world: World, *, usd: int = 10, **more: Any) -> UUID:
    budget_id = uuid4()
    world.do(OpenBudget(budget_id=budget_id, hold_usd=Decimal(1), **more))
    if usd:
        world.do(GrantCredit(budget_id=budget_id, usd=Decimal(usd)))
    return budget_id


def request(world: World, program_id: UUID | None = None) -> UUID:
    execution_id, program_id = uuid4(), program_id or world.a_program()
    inputs = {"message": "It crashes."}
    world.do(RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs))
    return execution_id


def standing(world: World, budget_id: UUID) -> Standing:
    with within(CONTEXT):
        return world.credit.standing(budget_id)


def figures(world: World, budget_id: UUID) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """What is left, held, charged and overdrawn."""
    found = standing(world, budget_id)
    return found.left_usd, found.held_usd, found.charged_usd, found.overdrawn_usd


def test_a_run_without_a_budget_holds_nothing(world: World) -> None:
    execution_id = request(world)
    assert not any(isinstance(e, ExecutionCreditHeld) for e in world.events(execution_id))
    assert NO_CREDIT.holds(uuid4()) == ()
    NO_CREDIT.changed()


@pytest.mark.feature("CRD-01")
def test_crd_01_a_run_holds_its_share_until_it_ends_and_is_charged_once(world: World) -> None:
    budget_id = opened(world)
    execution_id = request(world)
    assert figures(world, budget_id) == (9, 1, 0, 0)
    world.do(RunExecution(execution_id=execution_id))
    settled, done = world.events(execution_id)[-2:]
    assert isinstance(settled, ExecutionCreditSettled)
    assert isinstance(done, ExecutionCompleted)
    cost = done.spend.cost_usd
    assert cost is not None
    assert figures(world, budget_id) == (10 - cost, 0, cost, 0)
    world.do(RunExecution(execution_id=execution_id))
    assert figures(world, budget_id) == (10 - cost, 0, cost, 0)


@pytest.mark.feature("CRD-01")
def test_crd_01_a_run_that_fails_or_is_called_off_gives_back_what_it_held(world: World) -> None:
    budget_id = opened(world)
    called_off, failing = request(world), request(world)
    assert figures(world, budget_id) == (8, 2, 0, 0)
    world.do(CancelExecution(execution_id=called_off))
    assert figures(world, budget_id) == (9, 1, 0, 0)
    world.runner.asks = []
    world.runner.raises = [ProgramFailed(BROKEN)]
    world.do(RunExecution(execution_id=failing))
    assert figures(world, budget_id) == (10, 0, 0, 0)


@pytest.mark.feature("CRD-02")
def test_crd_02_nothing_is_requested_beyond_a_hard_limit(world: World) -> None:
    opened(world, usd=2)
    program_id = world.a_program()
    request(world, program_id), request(world, program_id)
    before = len(world.log.recorded)
    with pytest.raises(BudgetIsSpent):
        request(world, program_id)
    assert len(world.log.recorded) == before


@pytest.mark.feature("CRD-02")
def test_crd_02_each_of_tenant_program_and_actor_has_a_limit(world: World) -> None:
    program_id = world.a_program()
    covers = (
        Cover(),
        Cover(kind="program", of=str(program_id)),
        Cover(kind="actor", of=CONTEXT.actor),
    )
    budgets = [opened(world, usd=5, cover=cover) for cover in covers]
    other = opened(world, usd=0, cover=Cover(kind="actor", of="somebody-else"))
    request(world, program_id)
    assert [figures(world, each)[0] for each in budgets] == [4, 4, 4]
    request(world)
    assert [figures(world, each)[0] for each in budgets] == [3, 4, 3]
    assert figures(world, other) == (0, 0, 0, 0)


@pytest.mark.feature("CRD-02")
def test_crd_02_a_soft_limit_is_told_once_as_a_fact(world: World) -> None:
    budget_id = opened(world, usd=4, alert_below_usd=Decimal(3))
    program_id = world.a_program()
    for _ in range(3):
        request(world, program_id)
        world.do(WatchBudget(budget_id=budget_id))
    told = [each for each in world.events(budget_id) if isinstance(each, BudgetRanLow)]
    assert told == [BudgetRanLow(alert_below_usd=Decimal(3))]


def test_whoever_watches_is_asked_to_look_after_each_hold(world: World) -> None:
    watched = opened(world, alert_below_usd=Decimal(3))
    opened(world, cover=Cover(kind="actor", of=CONTEXT.actor))
    request(world)
    asked = [command for recorded in world.log.recorded for command in watching(recorded)]
    assert asked == [WatchBudget(budget_id=watched)]


def test_a_budget_that_is_closed_stops_nothing(world: World) -> None:
    budget_id = opened(world, usd=0)
    with pytest.raises(BudgetIsSpent):
        request(world)
    world.do(CloseBudget(budget_id=budget_id))
    request(world)
    assert standing(world, budget_id).closed_at is not None


def test_a_budget_is_decided_on_what_was_seen(world: World) -> None:
    budget_id = opened(world)
    for command in (
        GrantCredit(budget_id=budget_id, usd=Decimal(1), expected_version=1),
        ReviseBudget(budget_id=budget_id, hold_usd=Decimal(2), expected_version=1),
        CloseBudget(budget_id=budget_id, expected_version=1),
    ):
        with pytest.raises(StaleVersion):
            world.do(command)
    world.do(ReviseBudget(budget_id=budget_id, hold_usd=Decimal(2)))
    request(world)
    assert figures(world, budget_id) == (8, 2, 0, 0)
    with pytest.raises(AggregateNotFound):
        standing(world, uuid4())


def test_a_hold_that_others_forestalled_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget_id = opened(world)
    save, refusals = world.executions.save, ["budgets_never_below_zero"] * 2

    def rivalled(*args: Any, **more: Any) -> Any:
        if refusals:
            raise RuleRefused(refusals.pop())
        return save(*args, **more)

    monkeypatch.setattr(world.executions, "save", rivalled)
    request(world)
    assert figures(world, budget_id) == (9, 1, 0, 0)
    refusals += ["another"]
    with pytest.raises(RuleRefused, match="another"):
        request(world)
    refusals += ["budgets_never_below_zero"] * 10
    with pytest.raises(ConcurrentWrite):
        request(world)


def test_a_second_budget_for_the_same_runs_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: Any, **more: Any) -> Any:
        raise RuleRefused(rules.pop())

    rules = ["another", "budgets_cover"]
    monkeypatch.setattr(world.budgets, "save", refused)
    with pytest.raises(BudgetExists):
        opened(world)
    with pytest.raises(RuleRefused):
        opened(world)
