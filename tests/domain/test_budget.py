"""Budgets: granted, watched, closed; and what runs set aside of them."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from domain.budget.aggregate import Budget
from domain.budget.errors import BudgetIsClosed, BudgetIsSpent
from domain.budget.events import (
    BudgetClosed,
    BudgetGranted,
    BudgetOpened,
    BudgetRanLow,
    BudgetRevised,
)
from domain.budget.values import Cover
from tests.support.memory import NOW
from tests.support.scenario import Scenario

OPENED = BudgetOpened(cover=Cover(), hold_usd=Decimal(1), alert_below_usd=Decimal(3))
GRANTED = BudgetGranted(usd=Decimal(10), reason="For June.")
LOW = BudgetRanLow(alert_below_usd=Decimal(3))
CLOSED = BudgetClosed(reason="Done.")


@pytest.fixture
def budget() -> Scenario[Budget]:
    return Scenario(Budget)


def test_a_budget_is_opened_empty_and_granted_to(budget: Scenario[Budget]) -> None:
    budget.given(OPENED).when(lambda it: it.grant(Decimal(10), "For June.", at=NOW)).then(GRANTED)


def test_little_is_told_once_until_more_is_granted(budget: Scenario[Budget]) -> None:
    budget.given(OPENED, GRANTED).when(lambda it: it.watch(Decimal("2.99"), at=NOW)).then(LOW)
    budget.given(OPENED, GRANTED, LOW).when(lambda it: it.watch(Decimal(1), at=NOW)).then()
    budget.given(OPENED, LOW, GRANTED).when(lambda it: it.watch(Decimal(1), at=NOW)).then(LOW)
    budget.given(OPENED, GRANTED).when(lambda it: it.watch(Decimal(3), at=NOW)).then()
    budget.given(OPENED, CLOSED).when(lambda it: it.watch(Decimal(1), at=NOW)).then()


def test_a_budget_is_revised_and_the_same_again_changes_nothing(budget: Scenario[Budget]) -> None:
    two = BudgetRevised(hold_usd=Decimal(2), alert_below_usd=None)

    def revise(it: Budget) -> None:
        it.revise(hold_usd=Decimal(2), alert_below_usd=None, at=NOW)

    budget.given(OPENED, LOW).when(revise).then(two)
    budget.given(OPENED, two).when(revise).then()
    budget.given(OPENED, two).when(lambda it: it.watch(Decimal(0), at=NOW)).then()


def test_a_closed_budget_stays_closed(budget: Scenario[Budget]) -> None:
    budget.given(OPENED).when(lambda it: it.close("Done.", at=NOW)).then(CLOSED)
    budget.given(OPENED, CLOSED).when(lambda it: it.close("Done.", at=NOW)).then()
    budget.given(OPENED, CLOSED).when(
        lambda it: it.grant(Decimal(1), "More.", at=NOW)
    ).then_refused(BudgetIsClosed)


@pytest.mark.parametrize(
    "cover",
    [
        {"kind": "program"},
        {"kind": "actor"},
        {"kind": "tenant", "of": "ada"},
        {"kind": "program", "of": "triage"},
        {"kind": "program", "of": str(UUID(int=1)).upper() + "A"},
    ],
)
def test_a_cover_names_what_it_is_for(cover: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="is named"):
        Cover.model_validate(cover)


def test_no_two_covers_have_one_word() -> None:
    program = uuid4()
    covers = Cover(), Cover(kind="program", of=str(program)), Cover(kind="actor", of="ada")
    assert [each.word for each in covers] == ["tenant", f"program:{program}", "actor:ada"]


def test_what_is_missing_is_said_in_plain_figures() -> None:
    refused = BudgetIsSpent("tenant", Decimal("0.100"), Decimal("1E+1"))
    assert "has 0.1 USD left, and a run sets 10 aside" in str(refused)
