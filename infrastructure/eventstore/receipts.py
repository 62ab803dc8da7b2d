"""What commands did, by their idempotency key, and which aggregate holds a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from application.context import Context, current
from application.errors import IdempotencyKeyReused
from application.ports import Receipt
from infrastructure.eventstore.recorder import PostgresRecorder

# LIMIT and OFFSET keep the subquery behind the setting that lets it see rows, in one statement.
_RECEIPT: LiteralString = """
    SELECT r.* FROM set_config('stratal.tenant', %s, true) AS asking (tenant)
    CROSS JOIN LATERAL (
        SELECT fingerprint, aggregate_id, version, position FROM stratal.receipts AS r
        WHERE r.tenant = asking.tenant AND command_id = %s LIMIT 1
    ) AS r
"""
_HOLDER: LiteralString = """
    SELECT c.holder FROM set_config('stratal.tenant', %s, true) AS asking (tenant)
    CROSS JOIN LATERAL (
        SELECT holder FROM stratal.claims AS c
        WHERE c.tenant = asking.tenant AND kind = %s AND name = %s LIMIT 1
    ) AS c
"""
_HOLDERS: LiteralString = """
    SELECT c.holder FROM set_config('stratal.tenant', %s, true) AS asking (tenant)
    CROSS JOIN LATERAL (
        SELECT holder, name FROM stratal.claims AS c
        WHERE c.tenant = asking.tenant AND kind = %s AND starts_with(name, %s) OFFSET 0
    ) AS c
    ORDER BY c.name
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
        return Receipt(aggregate_id, version, position, is_repeat=True)

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
