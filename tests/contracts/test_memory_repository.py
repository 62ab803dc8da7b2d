from collections.abc import Sequence
from uuid import UUID

import pytest

from application.payloads import Payload
from domain.kernel import Recorded
from tests.contracts.repository import Notes, OtherKind, RepositoryContract
from tests.support.memory import MemoryLog, MemoryNames, MemoryRepository


class TestMemoryRepository(RepositoryContract):
    @pytest.fixture(autouse=True)
    def _open(self) -> None:
        self.kept: list[str] = []
        self.log = MemoryLog(inline=[self.keep])

    def keep(self, recorded: Sequence[Recorded], payloads: Sequence[Payload]) -> None:
        self.kept += [each.ref.digest for each in payloads]

    def repository(self) -> MemoryRepository[Notes]:
        return MemoryRepository(Notes, self.log)

    def of_another_kind(self) -> MemoryRepository[OtherKind]:
        return MemoryRepository(OtherKind, self.log)

    def names(self) -> MemoryNames:
        return MemoryNames(self.log)

    def recorded(self, id: UUID) -> Sequence[Recorded]:
        return self.log.stream(id)

    def payloads(self) -> list[str]:
        return self.kept
