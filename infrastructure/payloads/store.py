"""Payloads in Postgres: written in the transaction of the append, read by digest and checked."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, LiteralString, cast

from psycopg import Connection, OperationalError
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool
from pydantic import JsonValue

from application.context import current
from application.errors import PayloadIsMissing, StoreIsUnavailable
from application.payloads import Payload
from domain.errors import DomainError
from domain.values import Digest, PayloadRef
from infrastructure.payloads.codec import Codec, Stored, decode, encode
from infrastructure.sql import Statements

_TABLE: LiteralString = """
CREATE TABLE stratal.payloads (
    tenant text NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    codec smallint NOT NULL,
    size_bytes bigint NOT NULL,
    body bytea NOT NULL,
    subject text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, digest)
);
-- Bodies are compressed already: store them beside the row as they are.
ALTER TABLE stratal.payloads ALTER COLUMN body SET STORAGE EXTERNAL;
"""

_WALL: LiteralString = "SELECT stratal.wall('stratal', false, 'payloads')"

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("payloads.1", _TABLE),
    ("payloads.2", _WALL),
)

_INSERT: LiteralString = """
INSERT INTO stratal.payloads (tenant, digest, codec, size_bytes, body, subject)
SELECT %b, * FROM unnest(%b::bytea[], %b::smallint[], %b::bigint[], %b::bytea[], %b::text[])
ON CONFLICT DO NOTHING
"""

# The limit keeps the subquery behind the setting that lets it see its row, in one statement.
_SELECT: LiteralString = """
SELECT p.* FROM set_config('stratal.tenant', %b, true) AS asking (tenant)
CROSS JOIN LATERAL (
    SELECT codec, body FROM stratal.payloads AS p
    WHERE p.tenant = asking.tenant AND digest = %b LIMIT 1
) AS p
"""


_SELECT_SEVERAL: LiteralString = """
SELECT p.* FROM set_config('stratal.tenant', %b, true) AS asking (tenant)
CROSS JOIN LATERAL (
    SELECT digest, codec, body FROM stratal.payloads AS p
    WHERE p.tenant = asking.tenant AND digest = ANY(%b::bytea[]) LIMIT %b
) AS p
"""


class PayloadIsDamaged(DomainError):
    """The stored text is not the one its digest names; restore the database from a backup."""

    code: ClassVar[str] = "payload.damaged"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"The payload {digest} was changed or damaged in the database; it is not served. "
            "Restore it from a backup."
        )
        self.digest = digest


def insert_payloads(into: Statements, tenant: str, payloads: Sequence[Payload]) -> None:
    """Store what *tenant* does not have yet, in the transaction of *into*, with one statement."""
    if not payloads:
        return
    # In one order everywhere, so that two transactions with the same texts cannot deadlock.
    ordered = sorted({each.ref.digest: each for each in payloads}.items())
    stored = [encode(each.body) for _, each in ordered]
    into.execute(
        _INSERT,
        [
            tenant,
            [bytes.fromhex(digest) for digest, _ in ordered],
            [int(each.codec) for each in stored],
            [each.ref.size_bytes for _, each in ordered],
            [each.body for each in stored],
            [each.subject for _, each in ordered],
        ],
    )


class PostgresPayloadStore:
    """The texts of the current context's tenant."""

    def __init__(self, pool: ConnectionPool[Connection[TupleRow]]) -> None:
        self._pool = pool

    def get(self, ref: PayloadRef) -> JsonValue:
        """Read a text of the current tenant and check it against its digest.

        Raises:
            PayloadIsMissing: It was never stored, or was erased.
            PayloadIsDamaged: What is stored is not what was written.
            StoreIsUnavailable: The database does not answer; try again.
        """
        found = self._rows(_SELECT, bytes.fromhex(ref.digest))
        if not found:
            raise PayloadIsMissing(ref.digest)
        return cast(JsonValue, json.loads(_checked(ref, found[0])))

    def several(self, refs: Sequence[PayloadRef]) -> Mapping[Digest, JsonValue]:
        """Read texts of the current tenant at once; what is not there is left out.

        Raises:
            PayloadIsDamaged: What is stored is not what was written.
            StoreIsUnavailable: The database does not answer; try again.
        """
        wanted = {bytes.fromhex(ref.digest): ref for ref in refs}
        found = self._rows(_SELECT_SEVERAL, [*wanted], len(wanted))
        texts = ((wanted[bytes(digest)], stored) for digest, *stored in found)
        return {ref.digest: json.loads(_checked(ref, stored)) for ref, stored in texts}

    def _rows(self, sql: LiteralString, *asked: object) -> Sequence[TupleRow]:
        try:
            with self._pool.connection() as connection:
                return connection.execute(sql, [current().tenant, *asked], binary=True).fetchall()
        except OperationalError as error:
            raise StoreIsUnavailable("its texts cannot be read", "Try again.") from error


def _checked(ref: PayloadRef, row: Sequence[Any]) -> bytes:
    try:
        body = decode(Stored(Codec(row[0]), row[1]), size_bytes=ref.size_bytes)
    except ValueError:
        raise PayloadIsDamaged(ref.digest) from None
    if hashlib.sha256(body).hexdigest() != ref.digest:
        raise PayloadIsDamaged(ref.digest)
    return body
