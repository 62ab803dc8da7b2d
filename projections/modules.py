"""One row for each module: its kind, its pinned signature, and its present settings."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleRetired
from domain.module.parameters import KindParameters
from domain.module.values import ModuleConfig, ModuleKind
from domain.signature.fields import SignatureSpec
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept


class ModuleRow(Row):
    module_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    name: str
    kind: ModuleKind
    signature_id: UUID
    signature_revision: int = Field(description="Later revisions do not reach this module.")
    signature: SignatureSpec
    config: ModuleConfig
    parameters: KindParameters = Field(description="What the kind takes, beside the settings.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    retired_at: datetime | None = Field(description="When it was retired; it stays readable.")
    retired_because: str | None


_MODULE = Kept(
    "module",
    fixed=(
        "name",
        "kind",
        "signature_id",
        "signature_revision",
        "signature",
        "parameters",
        "created_at",
        "created_by",
    ),
    changing=("version", "config", "updated_at", "retired_at", "retired_because"),
)


class Modules(Projection):
    name: ClassVar[str] = "modules"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE module (
            tenant             text NOT NULL,
            module_id          uuid NOT NULL,
            version            bigint NOT NULL,
            position           bigint NOT NULL,
            name               text NOT NULL,
            kind               text NOT NULL,
            signature_id       uuid NOT NULL,
            signature_revision integer NOT NULL,
            signature          json NOT NULL,
            config             json NOT NULL,
            parameters         json,
            created_at         timestamptz NOT NULL,
            created_by         text NOT NULL,
            updated_at         timestamptz NOT NULL,
            retired_at         timestamptz,
            retired_because    text,
            PRIMARY KEY (tenant, module_id)
        );
        CREATE INDEX module_newest ON module (tenant, position);
        CREATE INDEX module_name ON module (tenant, name, position);
        CREATE INDEX module_signature ON module (tenant, signature_id, position);
    """
        + _MODULE.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_MODULE.past,)
    events: ClassVar[tuple[type[Event], ...]] = (ModuleCreated, ModuleConfigured, ModuleRetired)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ModuleCreated(name=name, spec=spec) as created:
                columns = row(
                    recorded,
                    name=name,
                    kind=spec.kind.value,
                    signature_id=created.signature_id,
                    signature_revision=created.signature_revision,
                    signature=document(spec.signature),
                    config=document(spec.config),
                    parameters=None if spec.parameters is None else document(spec.parameters),
                )
                yield Write(_CREATE, columns)
            case ModuleConfigured(config=config):
                yield Write(_CONFIGURE, row(recorded, config=document(config)))
            case ModuleRetired(reason=reason):
                yield Write(_RETIRE, row(recorded, reason=reason))
            case _:
                pass


def modules(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    signature_id: UUID | None = None,
    retired: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ModuleRow]:
    """The newest modules first; with ``retired=True`` those that were retired instead."""
    select = Select(_SELECT, of=Modules, tenant=tenant).where("name = %(name)s", name=name)
    select.where("signature_id = %(signature_id)s", signature_id=signature_id)
    select.where("retired_at IS NOT NULL" if retired else "retired_at IS NULL")
    return select.page(store, ModuleRow, NEWEST_FIRST, limit=limit, after=after)


def module(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> ModuleRow | None:
    """One module, retired or not. Of several with the name, the living one, else the newest."""
    select = Select(_SELECT, of=Modules, tenant=tenant).called("module_id", id_or_name)
    return select.first(store, ModuleRow, order="retired_at IS NULL DESC, position DESC")


_SELECT: LiteralString = """
    SELECT module_id, version, position, name, kind, signature_id, signature_revision, signature,
           config, parameters, created_at, created_by, updated_at, retired_at, retired_because
    FROM module WHERE tenant = %(tenant)s"""

_CREATE: LiteralString = """
    INSERT INTO module (tenant, module_id, version, position, name, kind, signature_id,
                        signature_revision, signature, config, parameters, created_at, created_by,
                        updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(kind)s, %(signature_id)s,
            %(signature_revision)s, %(signature)s, %(config)s, %(parameters)s, %(at)s, %(actor)s,
            %(at)s)
    ON CONFLICT DO NOTHING"""

_CONFIGURE = _MODULE.update("config = %(config)s")

_RETIRE = _MODULE.update("retired_at = %(at)s, retired_because = %(reason)s")
