"""Proofs of a log that no notary follows."""

from collections.abc import Sequence
from typing import NoReturn

from infrastructure.api.proving import Checkpoint
from infrastructure.notary.errors import CheckpointIsUnknown


class NothingSigned:
    """``infrastructure.api.proving.Proofs`` where there is no checkpoint."""

    def checkpoint(self, size: int | None = None) -> NoReturn:
        raise CheckpointIsUnknown(size)

    def checkpoints(self, *, before: int | None, limit: int) -> Sequence[Checkpoint]:
        del before, limit
        return []

    def inclusion(self, position: int, tenant: str, size: int | None = None) -> NoReturn:
        del position, tenant
        raise CheckpointIsUnknown(size)

    def consistency(self, old: int, new: int) -> NoReturn:
        del new
        raise CheckpointIsUnknown(old)
