"""Which executions are on record, as the read models tell it once they have seen the whole log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from application.context import current
from application.past_runs import PastRun, Which
from domain.run import RunStatus
from projections.executions import ExecutionRow, executions
from projections.kernel import ReadStore
from projections.paging import MAX_LIMIT, Cursor

LATE_AFTER_S: Final = 5.0
"""How long a decision waits for the read models."""


@dataclass(frozen=True, slots=True)
class ProjectedRuns:
    """``application.past_runs.PastRuns`` over *store*, caught up with *head* before each look."""

    store: ReadStore
    head: Callable[[], int]
    wait_for: Callable[[int, float], None]

    def completed(self, which: Which) -> Sequence[PastRun]:
        self.wait_for(self.head(), LATE_AFTER_S)
        found = [
            PastRun(row.execution_id, row.inputs, row.outputs)
            for row in self._newest(which)
            if row.outputs is not None
        ]
        return found[::-1]

    def _newest(self, which: Which) -> Iterator[ExecutionRow]:
        left, after = which.limit, None
        while left:
            rows, after = self._page(which, min(left, MAX_LIMIT), after)
            yield from rows
            left = 0 if after is None else left - len(rows)

    def _page(
        self, which: Which, limit: int, after: Cursor | None
    ) -> tuple[Sequence[ExecutionRow], Cursor | None]:
        page = executions(
            self.store,
            tenant=current().tenant,
            program_id=which.program_id,
            program_version=which.program_version,
            status=RunStatus.COMPLETED,
            actor=which.actor,
            since=which.since,
            until=which.until,
            tokens_above=which.tokens_above,
            are_originals=True,
            limit=limit,
            after=after,
        )
        return page.rows, page.next
