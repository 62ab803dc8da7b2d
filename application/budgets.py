"""Opening, filling, changing, watching, closing budgets: each command, beneath it its handler."""

from dataclasses import dataclass
from uuid import UUID

from application.attempts import insist
from application.authorization import Permission
from application.commands import Command, handles
from application.credit import ONE_FOR_EACH_COVER, Credit
from application.errors import RuleRefused
from application.ports import Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.budget.aggregate import Budget
from domain.budget.errors import BudgetExists
from domain.budget.values import Amount, Cover
from domain.text import LongText


class OpenBudget(Command):
    """From then on each run that it covers sets ``hold_usd`` of it aside, or is refused."""

    budget_id: UUID
    cover: Cover = Cover()
    hold_usd: Amount
    alert_below_usd: Amount | None = None


class GrantCredit(Command):
    budget_id: UUID
    usd: Amount
    reason: LongText = NO_REASON
    expected_version: int | None = None


class ReviseBudget(Command):
    budget_id: UUID
    hold_usd: Amount
    alert_below_usd: Amount | None = None
    expected_version: int | None = None


class WatchBudget(Command):
    """Tell, once, if less is left than whoever granted it wanted to be told of."""

    budget_id: UUID


class CloseBudget(Command):
    budget_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class BudgetHandlers:
    budgets: Repository[Budget]
    credit: Credit
    clock: Clock

    @handles(OpenBudget, Permission.MANAGE_BUDGETS)
    def open(self, command: OpenBudget) -> Receipt:
        budget = Budget.open(
            command.budget_id,
            command.cover,
            hold_usd=command.hold_usd,
            alert_below_usd=command.alert_below_usd,
            at=self.clock.now(),
        )
        try:
            return self._save(budget)
        except RuleRefused as refused:
            if refused.rule != ONE_FOR_EACH_COVER:
                raise
            raise BudgetExists(command.cover.word) from None

    @handles(GrantCredit, Permission.MANAGE_BUDGETS)
    def grant(self, command: GrantCredit) -> Receipt:
        budget = self.budgets.get(command.budget_id)
        budget.expect(command.expected_version)
        budget.grant(command.usd, command.reason, at=self.clock.now())
        return self._save(budget)

    @handles(ReviseBudget, Permission.MANAGE_BUDGETS)
    def revise(self, command: ReviseBudget) -> Receipt:
        budget = self.budgets.get(command.budget_id)
        budget.expect(command.expected_version)
        budget.revise(
            hold_usd=command.hold_usd,
            alert_below_usd=command.alert_below_usd,
            at=self.clock.now(),
        )
        return self._save(budget)

    @handles(WatchBudget, Permission.WORK)
    def watch(self, command: WatchBudget) -> Receipt:
        left_usd = self.credit.standing(command.budget_id).left_usd

        def decide(budget: Budget) -> None:
            budget.watch(left_usd, at=self.clock.now())

        return insist(self.budgets, command.budget_id, decide)

    @handles(CloseBudget, Permission.MANAGE_BUDGETS)
    def close(self, command: CloseBudget) -> Receipt:
        budget = self.budgets.get(command.budget_id)
        budget.expect(command.expected_version)
        budget.close(command.reason, at=self.clock.now())
        return self._save(budget)

    def _save(self, budget: Budget) -> Receipt:
        receipt = self.budgets.save(budget)
        self.credit.changed()
        return receipt
