"""Where each budget stands: rows that change with the events of the log, in their transactions.

They are the fold of the log: of the events of budgets, and of what runs held and were charged. A
check of the table refuses what would leave less than nothing, so the event with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any, LiteralString
from uuid import UUID

from application.context import current
from application.credit import Standing
from application.errors import AggregateNotFound
from application.fresh import Fresh
from application.payloads import Payload
from application.ports import Monotonic
from domain.budget.aggregate import Budget
from domain.budget.errors import BudgetIsSpent
from domain.budget.events import BudgetClosed, BudgetGranted, BudgetOpened, BudgetRevised
from domain.budget.values import Cover
from domain.execution.events import ExecutionCreditHeld, ExecutionCreditSettled
from domain.execution.values import Hold
from domain.kernel import Recorded
from infrastructure.postgres.pool import Pool
from infrastructure.sql import Statements

_TABLE: LiteralString = """
-- Where each budget stands. `overdrawn_usd` is what runs cost beyond what they held. A check keeps
-- two runs from holding the same money. What is given back is not checked: who is too late with it
-- is refused by the version of the run, and must hear that reason.
CREATE TABLE stratal.budgets (
    tenant          text NOT NULL,
    budget_id       uuid NOT NULL,
    covers          text NOT NULL,
    cover           jsonb NOT NULL,
    hold_usd        numeric NOT NULL,
    alert_below_usd numeric,
    granted_usd     numeric NOT NULL DEFAULT 0,
    held_usd        numeric NOT NULL DEFAULT 0,
    charged_usd     numeric NOT NULL DEFAULT 0,
    overdrawn_usd   numeric NOT NULL DEFAULT 0,
    unpriced        bigint NOT NULL DEFAULT 0,
    opened_at       timestamptz NOT NULL,
    closed_at       timestamptz,
    PRIMARY KEY (tenant, budget_id),
    CONSTRAINT budgets_never_below_zero CHECK (
        granted_usd + overdrawn_usd - held_usd - charged_usd >= 0
    )
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX budgets_cover ON stratal.budgets (tenant, covers) WHERE closed_at IS NULL;
"""

_WALL: LiteralString = "SELECT stratal.wall('stratal', false, 'budgets')"

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("budgets.1", _TABLE),
    ("budgets.2", _WALL),
)

# For the rest of the transaction: rows are changed that only their tenant sees.
_ENTER: LiteralString = "SELECT set_config('stratal.tenant', %s, true)"
_OPEN: LiteralString = """
    INSERT INTO stratal.budgets (tenant, budget_id, covers, cover, hold_usd, alert_below_usd,
                                 opened_at)
    VALUES (%(tenant)s, %(id)s, %(covers)s, %(cover)s, %(hold)s, %(alert)s, %(at)s)
"""
_REVISE: LiteralString = """
    UPDATE stratal.budgets SET hold_usd = %(hold)s, alert_below_usd = %(alert)s
    WHERE tenant = %(tenant)s AND budget_id = %(id)s
"""
_CLOSE: LiteralString = """
    UPDATE stratal.budgets SET closed_at = %(at)s WHERE tenant = %(tenant)s AND budget_id = %(id)s
"""
# What is given back, paid for and granted comes first: what is held then can be of it.
_SETTLE: LiteralString = """
    UPDATE stratal.budgets
    SET granted_usd = granted_usd + %(granted)s,
        held_usd = held_usd - %(released)s,
        charged_usd = charged_usd + %(charged)s,
        unpriced = unpriced + %(unpriced)s,
        overdrawn_usd = greatest(0, charged_usd + %(charged)s + held_usd - %(released)s
                                    - granted_usd - %(granted)s)
    WHERE tenant = %(tenant)s AND budget_id = %(id)s
"""
_HOLD: LiteralString = """
    UPDATE stratal.budgets SET held_usd = held_usd + %(held)s
    WHERE tenant = %(tenant)s AND budget_id = %(id)s
"""
_STANDINGS: LiteralString = """
    SELECT b.budget_id, b.cover, b.hold_usd, b.alert_below_usd, b.granted_usd, b.held_usd,
           b.charged_usd, b.overdrawn_usd, b.unpriced, b.opened_at, b.closed_at
    FROM set_config('stratal.tenant', %s, true) AS asking (tenant)
    CROSS JOIN LATERAL (
        SELECT * FROM stratal.budgets AS b WHERE b.tenant = asking.tenant OFFSET 0
    ) AS b
    ORDER BY b.closed_at IS NOT NULL, b.covers, b.opened_at
"""


@dataclass(slots=True)
class _Sums:
    """What some events change of one budget."""

    granted: Decimal = Decimal(0)
    released: Decimal = Decimal(0)
    charged: Decimal = Decimal(0)
    unpriced: int = 0
    held: Decimal = Decimal(0)


def write_budgets(
    into: Statements, recorded: Sequence[Recorded], payloads: Sequence[Payload]
) -> None:
    """Change the rows as *recorded* says, in the order of their ids: so no two writers wait."""
    del payloads
    changed: defaultdict[UUID, list[Recorded]] = defaultdict(list)
    sums: defaultdict[UUID, _Sums] = defaultdict(_Sums)
    for each in recorded:
        match each.event:
            case BudgetOpened() | BudgetRevised() | BudgetClosed():
                changed[each.originator_id].append(each)
            case BudgetGranted(usd=usd):
                sums[each.originator_id].granted += usd
            case ExecutionCreditHeld(holds=holds):
                for hold in holds:
                    sums[hold.budget_id].held += hold.usd
            case ExecutionCreditSettled() as settled:
                _settle(sums, settled)
            case _:
                pass
    if changed or sums:
        _write(into, recorded[0].envelope.tenant, changed, sums)


def _settle(sums: Mapping[UUID, _Sums], settled: ExecutionCreditSettled) -> None:
    for charge in settled.charges:
        of = sums[charge.budget_id]
        of.released += charge.held_usd
        of.charged += charge.charged_usd
        of.unpriced += settled.cost_usd is None


def _changed(recorded: Recorded) -> tuple[LiteralString, Mapping[str, object]]:
    told = {
        "tenant": recorded.envelope.tenant,
        "id": recorded.originator_id,
        "at": recorded.timestamp,
    }
    match recorded.event:
        case BudgetOpened(cover=cover, hold_usd=hold, alert_below_usd=alert):
            covers = {"covers": cover.word, "cover": cover.model_dump_json()}
            return _OPEN, told | covers | {"hold": hold, "alert": alert}
        case BudgetRevised(hold_usd=hold, alert_below_usd=alert):
            return _REVISE, told | {"hold": hold, "alert": alert}
        case _:
            return _CLOSE, told


def _write(
    into: Statements,
    tenant: str,
    changed: Mapping[UUID, Sequence[Recorded]],
    sums: Mapping[UUID, _Sums],
) -> None:
    into.execute(_ENTER, (tenant,), prepare=True)
    for budget_id in sorted(changed.keys() | sums.keys()):
        for each in changed.get(budget_id, ()):
            into.execute(*_changed(each), prepare=True)
        of, told = sums.get(budget_id, _Sums()), {"tenant": tenant, "id": budget_id}
        if of.granted or of.released or of.charged or of.unpriced:
            settled = {"granted": of.granted, "released": of.released, "charged": of.charged}
            into.execute(_SETTLE, told | settled | {"unpriced": of.unpriced}, prepare=True)
        if of.held:
            into.execute(_HOLD, told | {"held": of.held}, prepare=True)


class PostgresCredit:
    """``application.credit.Credit`` over the rows, of which it keeps some for a second."""

    def __init__(self, pool: Pool, monotonic: Monotonic = monotonic) -> None:
        self.pool, self._fresh = pool, Fresh[Sequence[Standing]](monotonic)

    def holds(self, program_id: UUID) -> Sequence[Hold]:
        context = current()
        words = {"tenant", f"program:{program_id}", f"actor:{context.actor}"}
        covering = _covering(self._recent(context.tenant), words)
        if any(each.left_usd < each.hold_usd for each in covering):
            self.changed()  # since then something may have been given back
            covering = _covering(self._recent(context.tenant), words)
        for each in covering:
            if each.left_usd < each.hold_usd:
                raise BudgetIsSpent(each.cover.word, each.left_usd, each.hold_usd)
        return tuple(
            Hold(
                budget_id=each.budget_id,
                usd=each.hold_usd,
                is_watched=each.alert_below_usd is not None,
            )
            for each in sorted(covering, key=lambda each: each.budget_id)
        )

    def standing(self, budget_id: UUID) -> Standing:
        for each in self.standings():
            if each.budget_id == budget_id:
                return each
        raise AggregateNotFound(Budget.KIND, budget_id)

    def standings(self) -> Sequence[Standing]:
        with self.pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute(_STANDINGS, (current().tenant,), prepare=True)
            return [_standing(row) for row in cursor.fetchall()]

    def changed(self) -> None:
        self._fresh.forget(current().tenant)

    def _recent(self, tenant: str) -> Sequence[Standing]:
        return self._fresh.get(
            tenant, lambda: [each for each in self.standings() if each.closed_at is None]
        )


def _standing(row: tuple[Any, ...]) -> Standing:
    budget_id, cover, *rest = row
    return Standing(budget_id, Cover.model_validate(cover), *rest)


def _covering(standings: Iterable[Standing], words: set[str]) -> list[Standing]:
    return [each for each in standings if each.cover.word in words]
