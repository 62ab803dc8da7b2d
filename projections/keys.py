"""One row for each key: who acts with it, as what, until when, and whether it was revoked."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.access.events import ApiKeyIssued, ApiKeyRevoked
from domain.access.values import Role
from domain.kernel import Event, Recorded
from projections.folding import row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept


class KeyRow(Row):
    api_key_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was issued; newer ones are greater.")
    name: str = Field(description="Who acts with it, as the trail tells it.")
    roles: tuple[Role, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime
    updated_at: datetime
    revoked_at: datetime | None
    revoked_because: str | None


_KEY = Kept(
    "api_key",
    fixed=("name", "roles", "created_at", "created_by", "expires_at"),
    changing=("version", "updated_at", "revoked_at", "revoked_because"),
)


class Keys(Projection):
    name: ClassVar[str] = "keys"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE api_key (
            tenant          text NOT NULL,
            api_key_id      uuid NOT NULL,
            version         bigint NOT NULL,
            position        bigint NOT NULL,
            name            text NOT NULL,
            roles           text[] NOT NULL,
            created_at      timestamptz NOT NULL,
            created_by      text NOT NULL,
            expires_at      timestamptz NOT NULL,
            updated_at      timestamptz NOT NULL,
            revoked_at      timestamptz,
            revoked_because text,
            PRIMARY KEY (tenant, api_key_id)
        );
        CREATE INDEX api_key_newest ON api_key (tenant, position);
    """
        + _KEY.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_KEY.past,)
    events: ClassVar[tuple[type[Event], ...]] = (ApiKeyIssued, ApiKeyRevoked)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ApiKeyIssued() as issued:
                columns = {
                    "name": issued.name,
                    "roles": [each.value for each in issued.roles],
                    "expires_at": issued.expires_at,
                }
                yield Write(_ISSUE, row(recorded, **columns))
            case ApiKeyRevoked(reason=reason):
                yield Write(_REVOKE, row(recorded, reason=reason))
            case _:
                pass


def keys(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    revoked: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[KeyRow]:
    """The newest keys first; with ``revoked=True`` those that were revoked instead."""
    select = Select(_SELECT, of=Keys, tenant=tenant).where("name = %(name)s", name=name)
    select.where("revoked_at IS NOT NULL" if revoked else "revoked_at IS NULL")
    return select.page(store, KeyRow, NEWEST_FIRST, limit=limit, after=after)


def key(store: ReadStore, key_id: UUID, *, tenant: str) -> KeyRow | None:
    """One key, revoked or not."""
    select = Select(_SELECT, of=Keys, tenant=tenant).where("api_key_id = %(id)s", id=key_id)
    return select.first(store, KeyRow, order="position")


_SELECT: LiteralString = """
    SELECT api_key_id, version, position, name, roles, created_at, created_by, expires_at,
           updated_at, revoked_at, revoked_because
    FROM api_key WHERE tenant = %(tenant)s"""

_ISSUE: LiteralString = """
    INSERT INTO api_key (tenant, api_key_id, version, position, name, roles, created_at, created_by,
                         expires_at, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(roles)s, %(at)s, %(actor)s,
            %(expires_at)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_REVOKE = _KEY.update("revoked_at = %(at)s, revoked_because = %(reason)s")
