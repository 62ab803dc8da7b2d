"""A payload store without a database, held to the same contract as the real one."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from application.context import current
from application.errors import PayloadIsMissing
from application.payloads import Payload
from domain.kernel import Recorded
from domain.values import Digest, PayloadRef


class MemoryPayloads:
    """Keeps texts by tenant and digest; ``inline`` joins it to a memory log."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], bytes] = {}

    def get(self, ref: PayloadRef) -> JsonValue:
        body = self._bodies.get((current().tenant, ref.digest))
        if body is None:
            raise PayloadIsMissing(ref.digest)
        return cast(JsonValue, json.loads(body))

    def several(self, refs: Sequence[PayloadRef]) -> Mapping[Digest, JsonValue]:
        mine = current().tenant
        kept = (ref for ref in refs if (mine, ref.digest) in self._bodies)
        return {ref.digest: self.get(ref) for ref in kept}

    def __len__(self) -> int:
        return len(self._bodies)

    def keep(self, tenant: str, payloads: Sequence[Payload]) -> None:
        """Store as an append of *tenant* does."""
        for each in payloads:
            self._bodies.setdefault((tenant, each.ref.digest), each.body)

    def erase_everything(self) -> None:
        """Forget every text of every tenant."""
        self._bodies.clear()

    def inline(self, appended: Sequence[Recorded], payloads: Sequence[Payload]) -> None:
        """Take part in the appends of a ``MemoryLog``."""
        self.keep(appended[0].envelope.tenant, payloads)
