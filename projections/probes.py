"""One row for each module of somebody's own that was tried out."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.probe.events import ProbeAccepted, ProbeRefused, ProbeRequested
from domain.probe.values import Findings, ModulePromise, ProbeStatus
from domain.values import Failure
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select


class ProbeRow(Row):
    probe_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was requested; newer ones are greater.")
    status: ProbeStatus
    import_path: str
    promise: ModulePromise = Field(description="What was asked for.")
    findings: Findings | None = Field(description="What was found, once it is accepted.")
    failure: Failure | None = Field(description="Why it was refused.")
    actor: str = Field(description="Who requested it.")
    requested_at: datetime
    finished_at: datetime | None


class Probes(Projection):
    name: ClassVar[str] = "probes"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE probe (
            tenant       text NOT NULL,
            id           uuid NOT NULL,
            version      bigint NOT NULL,
            position     bigint NOT NULL,
            status       text NOT NULL,
            import_path  text NOT NULL,
            promise      json NOT NULL,
            findings     json,
            failure      json,
            actor        text NOT NULL,
            requested_at timestamptz NOT NULL,
            finished_at  timestamptz,
            PRIMARY KEY (tenant, id)
        );
        CREATE INDEX probe_newest ON probe (tenant, position);
        CREATE INDEX probe_unfinished ON probe (tenant, id) WHERE status = 'pending';
    """
    events: ClassVar[tuple[type[Event], ...]] = (ProbeRequested, ProbeAccepted, ProbeRefused)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ProbeRequested(promise=promise):
                asked = {"promise": document(promise), "import_path": promise.import_path}
                yield Write(_REQUEST, row(recorded, **asked))
            case ProbeAccepted(findings=findings):
                yield Write(_ACCEPT, row(recorded, findings=document(findings)))
            case ProbeRefused(failure=failure):
                yield Write(_REFUSE, row(recorded, failure=document(failure)))
            case _:
                pass


def probes(
    store: ReadStore,
    *,
    tenant: str,
    import_path: str | None = None,
    status: ProbeStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ProbeRow]:
    """The newest probes first."""
    select = Select(_SELECT, of=Probes, tenant=tenant)
    select.where("import_path = %(import_path)s", import_path=import_path)
    select.where("status = %(status)s", status=status and status.value)
    return select.page(store, ProbeRow, NEWEST_FIRST, limit=limit, after=after)


def probe(store: ReadStore, probe_id: UUID, *, tenant: str) -> ProbeRow | None:
    """One probe."""
    select = Select(_SELECT, of=Probes, tenant=tenant).where("id = %(id)s", id=probe_id)
    return select.first(store, ProbeRow, order="position")


_SELECT: LiteralString = """
    SELECT id AS probe_id, version, position, status, import_path, promise, findings, failure,
           actor, requested_at, finished_at
    FROM probe WHERE tenant = %(tenant)s"""
_REQUEST: LiteralString = """
    INSERT INTO probe (tenant, id, version, position, status, import_path, promise, actor,
                       requested_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, 'pending', %(import_path)s, %(promise)s,
            %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""
_ACCEPT: LiteralString = """
    UPDATE probe SET version = %(version)s, status = 'accepted', findings = %(findings)s,
                     finished_at = %(at)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"""
_REFUSE: LiteralString = """
    UPDATE probe SET version = %(version)s, status = 'refused', failure = %(failure)s,
                     finished_at = %(at)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"""
