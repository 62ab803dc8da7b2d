"""What commands did, by their idempotency key, and which aggregate holds a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from application.context import Context, current
from application.errors import IdempotencyKeyReused
from application.ports import Receipt
from infrastructure.eventstore.recorder import PostgresRecorder

_RECEIPT: LiteralString = """
    SELECT fingerprint, aggregate_id, version, position FROM stratal.receipts
    WHERE tenant = %s AND command_id = %s
"""
_HOLDER: LiteralString = """
    SELECT holder FROM stratal.claims WHERE tenant = %s AND kind = %s AND name = %s
"""
_HOLDERS: LiteralString = """
    SELECT holder FROM stratal.claims
    WHERE tenant = %s AND kind = %s AND starts_with(name, %s) ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts of commands that came with a fingerprint."""

    recorder: PostgresRecorder

    def find(self, context: Context) -> Receipt | None:
        """What the first command with this key did; ``None`` if this is the first, or has no key.

        Raises:
            IdempotencyKeyReused: The first one was another command, or had another body.
        """
        if context.fingerprint is None:
            return None
        with self.recorder.reading() as cursor:
            cursor.execute(_RECEIPT, (context.tenant, context.command_id), prepare=True)
            row = cursor.fetchone()
        if row is None:
            return None
        fingerprint, aggregate_id, version, position = row
        if fingerprint != context.fingerprint:
            raise IdempotencyKeyReused(context.command_id)
        return Receipt(aggregate_id, version, position)

    def first(self, context: Context) -> Receipt:
        """The receipt that ``find`` is known to give: the log refused a second one."""
        found = self.find(context)
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class PostgresNames:
    """``application.ports.Names`` over the claims."""

    recorder: PostgresRecorder

    def holder(self, kind: str, name: str) -> UUID | None:
        with self.recorder.reading() as cursor:
            cursor.execute(_HOLDER, (current().tenant, kind, name), prepare=True)
            row = cursor.fetchone()
        return row[0] if row else None

    def holders(self, kind: str, beginning: str) -> Sequence[UUID]:
        with self.recorder.reading() as cursor:
            cursor.execute(_HOLDERS, (current().tenant, kind, beginning), prepare=True)
            return [holder for (holder,) in cursor.fetchall()]
