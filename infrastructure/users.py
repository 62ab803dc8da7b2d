"""Who uses what, as the read models tell it once they have seen the whole log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from application.context import current
from projections.kernel import ReadStore
from projections.modules import modules
from projections.paging import MAX_LIMIT

LATE_AFTER_S: Final = 5.0
"""How long a decision waits for the read models."""


@dataclass(frozen=True, slots=True)
class ProjectedUsers:
    """``application.ports.SignatureUsers`` over *store*, caught up with *head* before each look."""

    store: ReadStore
    head: Callable[[], int]
    wait_for: Callable[[int, float], None]

    def modules_of(self, signature_id: UUID) -> Sequence[str]:
        self.wait_for(self.head(), LATE_AFTER_S)
        tenant = current().tenant
        page = modules(self.store, tenant=tenant, signature_id=signature_id, limit=MAX_LIMIT)
        return tuple(module.name for module in page.rows)
