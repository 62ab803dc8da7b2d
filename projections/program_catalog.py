"""One row for each program: what it is, its stage, and which versions are newest and live."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Final, Literal, LiteralString
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import Event, Recorded
from domain.program.events import (
    ProgramArchived,
    ProgramCompiled,
    ProgramConfigured,
    ProgramCreated,
    ProgramDeployed,
    ProgramDescribed,
    ProgramRenamed,
    ProgramRestored,
    ProgramRetired,
    ProgramRevised,
    ProgramTestingStarted,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import ProgramGraph
from domain.program.values import Origin, Stage
from domain.values import Score
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import (
    DEFAULT_LIMIT,
    LATEST_CHANGE_FIRST,
    NEWEST_FIRST,
    Cursor,
    Page,
    Row,
    Select,
)
from projections.past import Kept

Sorting = Literal["newest", "updated"]
"""What comes first: the newest, or what was changed last."""

ORDERS: Final = {"newest": NEWEST_FIRST, "updated": LATEST_CHANGE_FIRST}


class ProgramMetrics(Row):
    """What is known of how good a program is; ``null`` is not known, never 0."""

    training_score: Score | None = Field(
        description="What the newest optimized version scored on the rows it learned from."
    )
    deployed_score: Score | None = Field(
        description="What the live version scored in the evaluation it was deployed on."
    )


class ProgramRow(Row):
    program_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    name: str
    description: str | None
    config: dict[str, JsonValue]
    graph: ProgramGraph = Field(
        description="Its modules and how they are wired, in the newest version."
    )
    default_optimizer: str | None
    stage: Stage
    latest_version: int = Field(description="The newest program version; 1 is as written.")
    deployed_version: int | None = Field(
        description="The program version that is live, or will be again out of the archive."
    )
    metrics: ProgramMetrics
    created_at: datetime
    created_by: str
    updated_at: datetime
    archived_at: datetime | None = Field(
        description="When it was put away; nothing runs of it until it is restored."
    )
    archived_because: str | None
    retired_at: datetime | None = Field(description="When it was retired; it stays readable.")
    retired_because: str | None


class GraphRow(Row):
    name: str
    program_version: int
    graph: ProgramGraph


_PROGRAM = Kept(
    "program",
    fixed=("created_at", "created_by"),
    changing=(
        "version",
        "name",
        "description",
        "config",
        "graph",
        "default_optimizer",
        "stage",
        "latest_version",
        "deployed_version",
        "training_score",
        "deployed_score",
        "updated_at",
        "archived_at",
        "archived_because",
        "retired_at",
        "retired_because",
    ),
)


class ProgramCatalog(Projection):
    name: ClassVar[str] = "program_catalog"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE program (
            tenant            text NOT NULL,
            program_id        uuid NOT NULL,
            version           bigint NOT NULL,
            position          bigint NOT NULL,
            name              text NOT NULL,
            description       text,
            config            json NOT NULL,
            graph             json NOT NULL,
            default_optimizer text,
            stage             text NOT NULL,
            latest_version    integer NOT NULL,
            deployed_version  integer,
            training_score    double precision,
            deployed_score    double precision,
            created_at        timestamptz NOT NULL,
            created_by        text NOT NULL,
            updated_at        timestamptz NOT NULL,
            archived_at       timestamptz,
            archived_because  text,
            retired_at        timestamptz,
            retired_because   text,
            PRIMARY KEY (tenant, program_id)
        ) WITH (fillfactor = 50);
        CREATE TABLE program_graph (
            tenant          text NOT NULL,
            program_id      uuid NOT NULL,
            program_version integer NOT NULL,
            graph           json NOT NULL,
            PRIMARY KEY (tenant, program_id, program_version)
        );
        CREATE INDEX program_newest ON program (tenant, position);
        CREATE INDEX program_name ON program (tenant, name, position);
    """
        + _PROGRAM.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_PROGRAM.past,)
    events: ClassVar[tuple[type[Event], ...]] = (
        ProgramCreated,
        ProgramRenamed,
        ProgramDescribed,
        ProgramConfigured,
        ProgramTestingStarted,
        ProgramCompiled,
        ProgramRevised,
        ProgramVersionEdited,
        ProgramVersionRestored,
        ProgramVersionImported,
        ProgramDeployed,
        ProgramArchived,
        ProgramRestored,
        ProgramRetired,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ProgramCreated() as created:
                yield Write(_CREATE, row(recorded, **_created(created)))
                yield Write(_GRAPH, row(recorded, latest=1, graph=document(created.graph)))
            case (
                ProgramCompiled()
                | ProgramRevised()
                | ProgramVersionEdited()
                | ProgramVersionRestored()
                | ProgramVersionImported()
            ) as made:
                yield from _versions(recorded, made)
            case _:
                yield from _happened(recorded)


def _happened(recorded: Recorded) -> Iterable[Write]:
    match recorded.event:
        case ProgramRenamed(name=name):
            yield Write(_RENAME, row(recorded, name=name))
        case ProgramDescribed(description=description):
            yield Write(_DESCRIBE, row(recorded, description=description))
        case ProgramConfigured(config=config, default_optimizer=optimizer):
            yield Write(
                _CONFIGURE,
                row(recorded, config=document(config), default_optimizer=optimizer),
            )
        case ProgramTestingStarted():
            yield Write(_STAGE, row(recorded, stage=Stage.TESTING.value))
        case ProgramDeployed(program_version=deployed) as event:
            columns = row(recorded, stage=Stage.PRODUCTION.value, score=live_score(event))
            yield Write(_DEPLOY, columns | {"deployed": deployed})
        case ProgramArchived(reason=reason):
            archived = row(recorded, archived_at=recorded.timestamp, reason=reason)
            yield Write(_ARCHIVE, archived)
        case ProgramRestored():
            yield Write(_ARCHIVE, row(recorded, archived_at=None, reason=None))
        case ProgramRetired(reason=reason):
            yield Write(_RETIRE, row(recorded, stage=Stage.RETIRED.value, reason=reason))
        case _:
            pass


def programs(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    stage: Stage | None = None,
    archived: bool = False,
    order: Sorting = "newest",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ProgramRow]:
    """The newest programs first, or those that changed last; retired ones only by their stage.

    Those in the archive are a list of their own.
    """
    select = Select(PROGRAMS, of=ProgramCatalog, tenant=tenant)
    narrowed(select, name=name, stage=stage, archived=archived)
    return select.page(store, ProgramRow, ORDERS[order], limit=limit, after=after)


def narrowed(select: Select, *, name: str | None, stage: Stage | None, archived: bool) -> None:
    """Have *select* find the programs of a list; see ``programs``."""
    select.where("name = %(name)s", name=name)
    select.where("archived_at IS NOT NULL" if archived else "archived_at IS NULL")
    if stage is None:
        select.where("stage <> 'retired'")
    else:
        select.where("stage = %(stage)s", stage=stage.value)


def program(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> ProgramRow | None:
    """One program, in service or not. Of several with the name, the living one, else the newest."""
    select = Select(PROGRAMS, of=ProgramCatalog, tenant=tenant).called("program_id", id_or_name)
    return select.first(store, ProgramRow, order="stage <> 'retired' DESC, position DESC")


def program_graph(
    store: ReadStore, program_id: UUID, program_version: int, *, tenant: str
) -> GraphRow | None:
    """The graph of one version of a program."""
    select = Select(_SELECT_GRAPH, of=ProgramCatalog, tenant=tenant)
    select.where("program_id = %(id)s", id=program_id)
    select.where("program_version = %(program_version)s", program_version=program_version)
    return select.first(store, GraphRow, order="program_version")


def _versions(
    recorded: Recorded,
    made: ProgramCompiled
    | ProgramRevised
    | ProgramVersionEdited
    | ProgramVersionRestored
    | ProgramVersionImported,
) -> Iterable[Write]:
    """The writes of a new version: its graph, which may be that of an earlier one, and the rest."""
    columns = row(recorded, latest=made.new_version)
    match made:
        case ProgramRevised(graph=graph):
            yield Write(_GRAPH, columns | {"graph": document(graph)})
        case ProgramVersionRestored(restored_version=base):
            yield Write(_SAME_GRAPH, columns | {"base": base})
        case _:
            yield Write(_SAME_GRAPH, columns | {"base": made.base_version})
    match made:
        case (
            ProgramCompiled(training_score=score)
            | ProgramVersionImported(origin=Origin.COMPILED, training_score=score)
        ):
            yield Write(_COMPILE, columns | {"training_score": score})
        case _:
            yield Write(_MAKE, columns)


def _created(created: ProgramCreated) -> dict[str, object]:
    return {
        "name": created.name,
        "description": created.description,
        "config": document(created.config),
        "graph": document(created.graph),
        "default_optimizer": created.default_optimizer,
        "stage": Stage.DRAFT.value,
    }


def live_score(event: ProgramDeployed) -> Score | None:
    """The score of the deployed version in the last of the evaluations that speak of it."""
    scores = [each.score for each in event.evidence if each.version == event.program_version]
    return scores[-1] if scores else None


PROGRAMS: LiteralString = """
    SELECT program_id, version, position, name, description, config, graph, default_optimizer,
           stage, latest_version, deployed_version,
           json_build_object('training_score', training_score, 'deployed_score', deployed_score)
               AS metrics,
           created_at, created_by, updated_at, archived_at, archived_because, retired_at,
           retired_because
    FROM program WHERE tenant = %(tenant)s"""

# A version that a program did not have then is none of its then.
_SELECT_GRAPH: LiteralString = """
    SELECT name, program_version, program_graph.graph
    FROM program_graph JOIN program USING (tenant, program_id)
    WHERE tenant = %(tenant)s AND program_version <= latest_version"""

_CREATE: LiteralString = """
    INSERT INTO program (tenant, program_id, version, position, name, description, config, graph,
                         default_optimizer, stage, latest_version, created_at, created_by,
                         updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(description)s, %(config)s,
            %(graph)s, %(default_optimizer)s, %(stage)s, 1, %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_STAGE = _PROGRAM.update("stage = %(stage)s")

_RENAME = _PROGRAM.update("name = %(name)s")

_DESCRIBE = _PROGRAM.update("description = %(description)s")

_CONFIGURE = _PROGRAM.update("config = %(config)s, default_optimizer = %(default_optimizer)s")

_GRAPH: LiteralString = """
    INSERT INTO program_graph (tenant, program_id, program_version, graph)
    VALUES (%(tenant)s, %(id)s, %(latest)s, %(graph)s)
    ON CONFLICT DO NOTHING"""

_SAME_GRAPH: LiteralString = """
    INSERT INTO program_graph (tenant, program_id, program_version, graph)
    SELECT tenant, program_id, %(latest)s, graph FROM program_graph
    WHERE tenant = %(tenant)s AND program_id = %(id)s AND program_version = %(base)s
    ON CONFLICT DO NOTHING"""

_LATEST: LiteralString = """latest_version = %(latest)s,
    graph = (SELECT graph FROM program_graph
             WHERE tenant = %(tenant)s AND program_id = %(id)s AND program_version = %(latest)s)"""

_MAKE = _PROGRAM.update(_LATEST)

_COMPILE = _PROGRAM.update(_LATEST + ", training_score = %(training_score)s")

_DEPLOY = _PROGRAM.update(
    "stage = %(stage)s, deployed_version = %(deployed)s, deployed_score = %(score)s"
)

_ARCHIVE = _PROGRAM.update("archived_at = %(archived_at)s, archived_because = %(reason)s")

_RETIRE = _PROGRAM.update(
    "archived_at = NULL, archived_because = NULL, stage = %(stage)s, retired_at = %(at)s,"
    " retired_because = %(reason)s,"
    " deployed_version = NULL, deployed_score = NULL"
)
