"""What the log says is due and nobody has finished: the sweep sends it again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from projections.kernel import ReadStore
from projections.paging import Row

MAX_UNFINISHED: Final = 1000

STEP_S: Final = 900.0
"""The program of a workflow's step that has not moved for so long has nobody who carries it on."""

WorkKind = Literal[
    "execution", "batch_row", "overdue", "replay", "optimization", "evaluation", "adoption", "probe"
]


class UnfinishedWork(Row):
    """Something that was requested and has neither ended nor moved for a while."""

    kind: WorkKind = Field(
        description="overdue: an execution past its deadline, whoever has it. adoption: a completed"
        " optimization no version came from."
    )
    tenant: str
    id: UUID = Field(description="Of the execution, optimization, evaluation or probe.")
    replay: int | None = Field(description="The number of a replay.")
    attempts: int = Field(description="How often a worker took it already.")
    touched_at: datetime = Field(description="When it last moved.")


def unfinished_work(store: ReadStore, older_than_s: float) -> Sequence[UnfinishedWork]:
    """Work of every tenant that has not moved for *older_than_s* seconds, the stillest first.

    At most ``MAX_UNFINISHED`` pieces; what is left over is found the next time. This is the one
    query without a tenant: nobody but the sweep asks it.
    """
    told = {"older_than_s": older_than_s, "step_s": STEP_S, "most": MAX_UNFINISHED}
    found = store.rows(_UNFINISHED, told)
    return [UnfinishedWork.model_validate(dict(each)) for each in found]


_UNFINISHED: LiteralString = """
    SELECT kind, tenant, id, replay, attempts, touched_at FROM (
        SELECT CASE WHEN in_batch THEN 'batch_row' ELSE 'execution' END AS kind, tenant, id,
               NULL::integer AS replay, attempts, touched_at
        FROM execution WHERE status IN ('pending', 'running')
          -- Whoever carries a workflow on runs the programs of its steps: no job stands for them.
          AND (NOT in_step OR touched_at < now() - make_interval(secs => %(step_s)s))
        UNION ALL
        SELECT 'replay', tenant, execution_id, replay, 0, requested_at
        FROM execution_replay WHERE status = 'pending'
        UNION ALL
        SELECT 'optimization', tenant, id, NULL, attempts, touched_at
        FROM optimization WHERE status IN ('pending', 'running')
        UNION ALL
        SELECT 'adoption', tenant, id, NULL, attempts, touched_at
        FROM optimization WHERE status = 'completed' AND adopted_version IS NULL
          AND (proposal IS NULL OR proposal = 'approved')
        UNION ALL
        SELECT 'evaluation', tenant, id, NULL, attempts, touched_at
        FROM evaluation WHERE status IN ('pending', 'running')
        UNION ALL
        SELECT 'probe', tenant, id, NULL, 0, requested_at
        FROM probe WHERE status = 'pending'
    ) AS work
    WHERE touched_at < now() - make_interval(secs => %(older_than_s)s)
    UNION ALL
    SELECT 'overdue', tenant, id, NULL, attempts, touched_at
    FROM execution WHERE status IN ('pending', 'running') AND deadline < now()
    ORDER BY touched_at, id LIMIT %(most)s"""
