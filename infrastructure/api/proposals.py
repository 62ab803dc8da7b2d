"""What optimizations found and wait to have approved, over HTTP: seen, approved, rejected."""

from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from application.optimizations import ApproveOptimization, RejectOptimization, proposed
from application.reasons import NO_REASON
from application.versions import content_of
from domain.comparison.values import Breakage, Change, Severity, gravest
from domain.comparison.versions import broken_by, compare_versions
from domain.optimization.aggregate import Optimization
from domain.optimization.values import HeldOut, ProposalStatus
from domain.program.aggregate import Program
from domain.text import LongText
from domain.values import Score
from infrastructure.api.bodies import Body
from infrastructure.api.dependencies import Expected, Reader, Reading, Writing, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.optimizations import KIND, PATH, Id
from infrastructure.api.route import router

routes = router(PATH, "optimizations")


class Judgement(Body):
    """Why what was found is approved or rejected."""

    reason: LongText = NO_REASON


class ProposalView(BaseModel):
    """What a version would be, held against the one it would be made of, before there is one."""

    optimization_id: UUID
    program_id: UUID
    base_version: int = Field(description="The version that was optimized.")
    latest_version: int = Field(description="The latest now: others may have come since.")
    status: ProposalStatus
    metric: str
    training_score: Score | None
    heldout: HeldOut | None = Field(
        description="The scores of both on rows it did not learn from; null without such rows."
    )
    severity: Severity | None = Field(description="Of the gravest change; null if there is none.")
    changes: tuple[Change, ...]
    breaks: Breakage


@routes.get("/{optimization_id}/proposal")
async def get_proposal(id: Id, desk: Reading, response: Response) -> ProposalView:
    """See what waits for approval: how it scores on rows it did not see, and what it changes."""
    found, version = await desk.run(lambda: _proposal(desk, id))
    tag(response, version)
    return found


@routes.post("/{optimization_id}/approve")
async def approve_optimization(
    id: Id, body: Judgement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Let what was found become the next version of its program; it is so a moment later."""
    command = wish(
        ApproveOptimization, optimization_id=id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


@routes.post("/{optimization_id}/reject")
async def reject_optimization(
    id: Id, body: Judgement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Let no version come of what was found. It stays on record."""
    command = wish(
        RejectOptimization, optimization_id=id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


def _proposal(desk: Reader, id: UUID) -> tuple[ProposalView, int]:
    told: Any = (each.event for each in desk.history(KIND, id))  # of its kind: checked
    optimization = Optimization.fold(id, told)
    wish = optimization.wish
    history: Any = (each.event for each in desk.history("program", wish.program_id))  # likewise
    program = Program.fold(wish.program_id, history)
    candidate, payloads = proposed(program, optimization), desk.deps.payloads
    before = content_of(program.version_state(wish.program_version), payloads)
    after = content_of(candidate, payloads)
    changes = compare_versions(before, after)
    result, status = optimization.result, optimization.proposal
    assert result is not None
    assert status is not None
    view = ProposalView(
        optimization_id=id,
        program_id=program.id,
        base_version=wish.program_version,
        latest_version=program.latest_version,
        status=status,
        metric=wish.metric,
        training_score=result.training_score,
        heldout=result.heldout,
        severity=gravest(changes),
        changes=tuple(changes),
        breaks=broken_by(changes, before, after),
    )
    return view, optimization.version
