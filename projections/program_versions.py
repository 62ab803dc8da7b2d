"""One row for each version of a program: its origin, its scores, when it was live and why."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.dataset.values import Split
from domain.evaluation.events import EvaluationCompleted, EvaluationRequested
from domain.kernel import Event, Recorded
from domain.program.events import (
    ProgramCompiled,
    ProgramCreated,
    ProgramDeployed,
    ProgramRetired,
    ProgramRevised,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.values import Evidence, Origin, Pins
from domain.values import PayloadRef, Score
from projections.folding import document, documents, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import grown


class VersionScore(Row):
    """What a version scored in one finished evaluation."""

    evaluation_id: UUID
    dataset_id: UUID
    split: Split
    dataset_rows: int
    metric: str
    score: Score
    scored_at: datetime


class Deployment(Row):
    """One time that a version went live. ``until`` is ``null`` while it still is."""

    program_version: int
    position: int = Field(description="Where in the log it went live; newer ones are greater.")
    previous_version: int | None = Field(description="The program version it took over from.")
    reason: str
    evidence: tuple[Evidence, ...] = Field(description="The evaluations it was decided on.")
    deployed_at: datetime
    deployed_by: str
    until: datetime | None


class ProgramVersionRow(Row):
    program_id: UUID
    program_version: int
    position: int = Field(description="Where in the log it came to be; newer ones are greater.")
    origin: Origin = Field(
        description="How it came to be, out of `base_version` but for the first."
    )
    base_version: int | None = Field(description="The version it was made of.")
    compiled_from: UUID | None = Field(description="The optimization that found it, if any did.")
    optimizer: str | None
    state: PayloadRef | None = Field(description="Where its instructions and demos lie.")
    edits: PayloadRef | None = Field(description="Where lies what was edited of them by hand.")
    training_score: Score | None
    pins: Pins = Field(description="How its prompts are written, and what it was made with.")
    reason: str | None = Field(description="Why somebody made it, where somebody did.")
    created_at: datetime
    created_by: str
    scores: tuple[VersionScore, ...] = Field(description="At most 50, newest first.")
    deployments: tuple[Deployment, ...] = Field(description="At most 50, newest first.")


class ProgramVersions(Projection):
    name: ClassVar[str] = "program_versions"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = """
        CREATE TABLE program_version (
            tenant          text NOT NULL,
            program_id      uuid NOT NULL,
            program_version integer NOT NULL,
            position        bigint NOT NULL,
            origin          text NOT NULL,
            base_version    integer,
            compiled_from   uuid,
            optimizer       text,
            state           json,
            edits           json,
            training_score  double precision,
            pins            json NOT NULL,
            reason          text,
            created_at      timestamptz NOT NULL,
            created_by      text NOT NULL,
            PRIMARY KEY (tenant, program_id, program_version)
        );
        CREATE INDEX program_version_newest ON program_version (tenant, program_id, position);
        CREATE TABLE program_deployment (
            tenant           text NOT NULL,
            program_id       uuid NOT NULL,
            position         bigint NOT NULL,
            program_version  integer NOT NULL,
            previous_version integer,
            reason           text NOT NULL,
            evidence         json NOT NULL,
            deployed_at      timestamptz NOT NULL,
            deployed_by      text NOT NULL,
            until            timestamptz,
            until_position   bigint,
            PRIMARY KEY (tenant, program_id, position)
        );
        CREATE TABLE program_version_score (
            tenant          text NOT NULL,
            evaluation_id   uuid NOT NULL,
            program_id      uuid NOT NULL,
            program_version integer NOT NULL,
            dataset_id      uuid NOT NULL,
            split           text NOT NULL,
            dataset_rows    integer NOT NULL,
            metric          text NOT NULL,
            score           double precision,
            scored_at       timestamptz,
            scored_position bigint,
            PRIMARY KEY (tenant, evaluation_id)
        );
        CREATE INDEX program_version_score_newest
            ON program_version_score (tenant, program_id, program_version, scored_at)
            WHERE score IS NOT NULL;
    """
    past: ClassVar[tuple[LiteralString, ...]] = (
        grown("program_version"),
        """program_deployment AS NOT MATERIALIZED (
                SELECT tenant, program_id, position, program_version, previous_version, reason,
                       evidence, deployed_at, deployed_by,
                       CASE WHEN until_position <= %(as_of)s THEN until END AS until
                FROM program_deployment WHERE position <= %(as_of)s)""",
        grown("program_version_score", "scored_position"),
    )
    events: ClassVar[tuple[type[Event], ...]] = (
        ProgramCreated,
        ProgramCompiled,
        ProgramRevised,
        ProgramVersionEdited,
        ProgramVersionRestored,
        ProgramVersionImported,
        ProgramDeployed,
        ProgramRetired,
        EvaluationRequested,
        EvaluationCompleted,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case (
                ProgramCreated() | ProgramCompiled() | ProgramRevised() | ProgramVersionImported()
            ) as made:
                yield Write(_ADD, row(recorded, **_made(made)))
            case ProgramVersionEdited() as edited:
                yield Write(_ADD_EDITED, row(recorded, **_edited(edited)))
            case ProgramVersionRestored() as restored:
                yield Write(_ADD_RESTORED, row(recorded, **_restored(restored)))
            case ProgramDeployed() as deployed:
                yield Write(_END, row(recorded))
                yield Write(_DEPLOY, row(recorded, **_deployed(deployed)))
            case ProgramRetired():
                yield Write(_END, row(recorded))
            case EvaluationRequested() as requested:
                yield Write(_JUDGE, row(recorded, **_judged(requested)))
            case EvaluationCompleted(score=score):
                yield Write(_SCORE, row(recorded, score=score))
            case _:
                pass


def program_versions(
    store: ReadStore,
    program_id: UUID,
    *,
    tenant: str,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ProgramVersionRow]:
    """The versions of a program, newest first."""
    select = Select(_SELECT, of=ProgramVersions, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    return select.page(store, ProgramVersionRow, NEWEST_FIRST, limit=limit, after=after)


def program_version(
    store: ReadStore, program_id: UUID, program_version: int, *, tenant: str
) -> ProgramVersionRow | None:
    """One version of a program."""
    select = Select(_SELECT, of=ProgramVersions, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("program_version = %(program_version)s", program_version=program_version)
    return select.first(store, ProgramVersionRow, order="position")


def deployments(
    store: ReadStore,
    program_id: UUID,
    *,
    tenant: str,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[Deployment]:
    """What was live when and why, newest first."""
    select = Select(_DEPLOYMENTS, of=ProgramVersions, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    return select.page(store, Deployment, NEWEST_FIRST, limit=limit, after=after)


_BLANK: dict[str, object] = {
    "base_version": None,
    "compiled_from": None,
    "optimizer": None,
    "state": None,
    "edits": None,
    "training_score": None,
    "reason": None,
}


def _made(
    event: ProgramCreated | ProgramCompiled | ProgramRevised | ProgramVersionImported,
) -> dict[str, object]:
    columns: dict[str, object] = {"pins": document(event.pins)}
    match event:
        case ProgramCreated():
            columns |= {"program_version": 1, "origin": Origin.WRITTEN.value}
        case ProgramRevised(new_version=new, base_version=base, reason=reason):
            columns |= {"program_version": new, "origin": Origin.REVISED.value}
            columns |= {"base_version": base, "reason": reason}
        case ProgramCompiled(new_version=new, base_version=base):
            columns |= {"program_version": new, "origin": Origin.COMPILED.value}
            columns |= {"base_version": base, "compiled_from": event.optimization_id}
            columns |= _found(event)
        case ProgramVersionImported(new_version=new, base_version=base, reason=reason):
            columns |= {"program_version": new, "origin": event.origin.value}
            columns |= {"base_version": base, "reason": reason, "edits": document(event.edits)}
            columns |= _found(event)
    return _BLANK | columns


def _found(event: ProgramCompiled | ProgramVersionImported) -> dict[str, object]:
    return {
        "optimizer": event.optimizer,
        "state": document(event.state),
        "training_score": event.training_score,
    }


def _edited(event: ProgramVersionEdited) -> dict[str, object]:
    return {
        "program_version": event.new_version,
        "base_version": event.base_version,
        "edits": document(event.edits),
        "pins": document(event.pins),
        "reason": event.reason,
    }


def _restored(event: ProgramVersionRestored) -> dict[str, object]:
    return {
        "program_version": event.new_version,
        "base_version": event.restored_version,
        "reason": event.reason,
    }


def _deployed(event: ProgramDeployed) -> dict[str, object]:
    return {
        "program_version": event.program_version,
        "previous_version": event.previous_version,
        "reason": event.reason,
        "evidence": documents(event.evidence),
    }


def _judged(event: EvaluationRequested) -> dict[str, object]:
    return {
        "program_id": event.program_id,
        "program_version": event.program_version,
        "dataset_id": event.dataset_id,
        "split": event.split.value,
        "dataset_rows": event.dataset_rows,
        "metric": event.metric,
    }


_SELECT: LiteralString = """
    SELECT v.program_id, v.program_version, v.position, v.origin, v.base_version,
           v.compiled_from, v.optimizer, v.state, v.edits, v.training_score, v.pins, v.reason,
           v.created_at, v.created_by,
           (SELECT coalesce(json_agg(s), '[]') FROM (
                SELECT evaluation_id, dataset_id, split, dataset_rows, metric, score, scored_at
                FROM program_version_score AS s
                WHERE s.tenant = v.tenant AND s.program_id = v.program_id
                  AND s.program_version = v.program_version AND s.score IS NOT NULL
                ORDER BY scored_at DESC, evaluation_id LIMIT 50) AS s) AS scores,
           (SELECT coalesce(json_agg(d), '[]') FROM (
                SELECT program_version, position, previous_version, reason, evidence, deployed_at,
                       deployed_by, until
                FROM program_deployment AS d
                WHERE d.tenant = v.tenant AND d.program_id = v.program_id
                  AND d.program_version = v.program_version
                ORDER BY position DESC LIMIT 50) AS d) AS deployments
    FROM program_version AS v WHERE v.tenant = %(tenant)s"""

_DEPLOYMENTS: LiteralString = """
    SELECT program_version, position, previous_version, reason, evidence, deployed_at,
           deployed_by, until
    FROM program_deployment WHERE tenant = %(tenant)s"""

_INTO: LiteralString = """
    INSERT INTO program_version (tenant, program_id, program_version, position, base_version,
                                 reason, created_at, created_by, origin, compiled_from, optimizer,
                                 state, edits, training_score, pins)
    SELECT %(tenant)s, %(id)s, %(program_version)s, %(position)s, %(base_version)s, %(reason)s,
           %(at)s, %(actor)s, """

_OF_BASE: LiteralString = """
    FROM program_version
    WHERE tenant = %(tenant)s AND program_id = %(id)s AND program_version = %(base_version)s
    ON CONFLICT DO NOTHING"""

_ADD: LiteralString = (
    _INTO
    + """%(origin)s, %(compiled_from)s, %(optimizer)s, %(state)s, %(edits)s,
           %(training_score)s, %(pins)s
    ON CONFLICT DO NOTHING"""
)

_ADD_EDITED: LiteralString = (
    _INTO + "'edited', NULL, NULL, state, %(edits)s, NULL, %(pins)s" + _OF_BASE
)

_ADD_RESTORED: LiteralString = (
    _INTO + "'restored', compiled_from, optimizer, state, edits, training_score, pins" + _OF_BASE
)

_END: LiteralString = """
    UPDATE program_deployment SET until = %(at)s, until_position = %(position)s
    WHERE tenant = %(tenant)s AND program_id = %(id)s AND position < %(position)s
      AND until IS NULL"""

_DEPLOY: LiteralString = """
    INSERT INTO program_deployment (tenant, program_id, position, program_version,
                                    previous_version, reason, evidence, deployed_at, deployed_by)
    VALUES (%(tenant)s, %(id)s, %(position)s, %(program_version)s, %(previous_version)s,
            %(reason)s, %(evidence)s, %(at)s, %(actor)s)
    ON CONFLICT DO NOTHING"""

_JUDGE: LiteralString = """
    INSERT INTO program_version_score (tenant, evaluation_id, program_id, program_version,
                                       dataset_id, split, dataset_rows, metric)
    VALUES (%(tenant)s, %(id)s, %(program_id)s, %(program_version)s, %(dataset_id)s, %(split)s,
            %(dataset_rows)s, %(metric)s)
    ON CONFLICT DO NOTHING"""

_SCORE: LiteralString = """
    UPDATE program_version_score
    SET score = %(score)s, scored_at = %(at)s, scored_position = %(position)s
    WHERE tenant = %(tenant)s AND evaluation_id = %(id)s"""
