"""The past of a memory log: told by read models that have seen no more of it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from application.context import current, within
from application.errors import AsOfIsAhead
from projections.kernel import Projection, ReadStore
from tests.support.memory import MemoryLog
from tests.support.projecting import ReadModels, for_tenant


@dataclass(frozen=True)
class _AsTenant:
    """A store in which a tenant has another name."""

    store: ReadStore
    tenant: str

    def rows(
        self, sql: Any, params: Mapping[str, object], *, of: type[Projection] | None = None
    ) -> Sequence[Mapping[str, object]]:
        with within(replace(current(), tenant=self.tenant)):
            return self.store.rows(sql, {**params, "tenant": self.tenant}, of=of)


@dataclass(frozen=True)
class MemoryPast:
    """What ``infrastructure.postgres.past_store`` tells of a real log."""

    log: MemoryLog
    models: ReadModels | None

    def position(self, as_of: int | datetime) -> int:
        head = len(self.log.recorded)
        if isinstance(as_of, int):
            if as_of > head:
                raise AsOfIsAhead(as_of, head)
            return as_of
        return sum(each.timestamp <= as_of for each in self.log.recorded)

    @contextmanager
    def at(self, tenant: str, position: int) -> Generator[ReadStore, None, None]:
        assert self.models is not None
        other = f"{tenant}-{uuid4().hex}"
        mine = [each for each in self.log.recorded if each.envelope.tenant == tenant]
        if part := [each for each in mine if (each.position or 0) <= position]:
            self.models.project(for_tenant(other, part))
        yield _AsTenant(self.models.store, other)
