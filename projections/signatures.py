"""One row for each signature: its newest revision."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.signature.events import SignatureDefined, SignatureRetired, SignatureRevised
from domain.signature.fields import SignatureSpec
from domain.values import Digest
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept


class SignatureRow(Row):
    signature_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was defined; newer ones are greater.")
    name: str
    revision: int = Field(description="1 as defined, and one more with each revision.")
    spec: SignatureSpec
    content_hash: Digest = Field(description="Equal for every way to write the same signature.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    retired_at: datetime | None = Field(description="When it was retired; it stays readable.")
    retired_because: str | None


_SIGNATURE = Kept(
    "signature",
    fixed=("name", "created_at", "created_by"),
    changing=(
        "version",
        "revision",
        "spec",
        "content_hash",
        "updated_at",
        "retired_at",
        "retired_because",
    ),
)


class Signatures(Projection):
    name: ClassVar[str] = "signatures"
    version: ClassVar[int] = 2
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE signature (
            tenant          text NOT NULL,
            signature_id    uuid NOT NULL,
            version         bigint NOT NULL,
            position        bigint NOT NULL,
            name            text NOT NULL,
            revision        integer NOT NULL,
            spec            json NOT NULL,
            content_hash    text NOT NULL,
            created_at      timestamptz NOT NULL,
            created_by      text NOT NULL,
            updated_at      timestamptz NOT NULL,
            retired_at      timestamptz,
            retired_because text,
            PRIMARY KEY (tenant, signature_id)
        );
        CREATE INDEX signature_newest ON signature (tenant, position);
        CREATE INDEX signature_name ON signature (tenant, name, position);
    """
        + _SIGNATURE.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_SIGNATURE.past,)
    events: ClassVar[tuple[type[Event], ...]] = (
        SignatureDefined,
        SignatureRevised,
        SignatureRetired,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case SignatureDefined(name=name, spec=spec, content_hash=digest):
                columns = row(recorded, name=name, spec=document(spec), content_hash=digest)
                yield Write(_DEFINE, columns)
            case SignatureRevised(revision=revision, spec=spec, content_hash=digest):
                columns = row(recorded, revision=revision, spec=document(spec), content_hash=digest)
                yield Write(_REVISE, columns)
            case SignatureRetired(reason=reason):
                yield Write(_RETIRE, row(recorded, reason=reason))
            case _:
                pass


def signatures(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    retired: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[SignatureRow]:
    """The newest signatures first; with ``retired=True`` those that were retired instead."""
    select = Select(_SELECT, of=Signatures, tenant=tenant).where("name = %(name)s", name=name)
    select.where("retired_at IS NOT NULL" if retired else "retired_at IS NULL")
    return select.page(store, SignatureRow, NEWEST_FIRST, limit=limit, after=after)


def signature(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> SignatureRow | None:
    """One signature, retired or not. Of several with the name, the living one, else the newest."""
    select = Select(_SELECT, of=Signatures, tenant=tenant).called("signature_id", id_or_name)
    return select.first(store, SignatureRow, order="retired_at IS NULL DESC, position DESC")


_SELECT: LiteralString = """
    SELECT signature_id, version, position, name, revision, spec, content_hash, created_at,
           created_by, updated_at, retired_at, retired_because
    FROM signature WHERE tenant = %(tenant)s"""

_DEFINE: LiteralString = """
    INSERT INTO signature (tenant, signature_id, version, position, name, revision, spec,
                           content_hash, created_at, created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, 1, %(spec)s,
            %(content_hash)s, %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_REVISE = _SIGNATURE.update(
    "revision = %(revision)s, spec = %(spec)s, content_hash = %(content_hash)s"
)

_RETIRE = _SIGNATURE.update("retired_at = %(at)s, retired_because = %(reason)s")
