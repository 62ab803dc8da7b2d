"""What happens to batches, in sentences."""

from typing import assert_never
from uuid import UUID

from domain.batch.events import (
    BatchCancelled,
    BatchCompleted,
    BatchEstimated,
    BatchEvent,
    BatchPaused,
    BatchRequested,
    BatchResumed,
)
from projections.words import Words, cause_of, many, quoted


def batch(id: UUID, event: BatchEvent) -> Words:
    match event:
        case BatchRequested(program_id=program_id, program_version=version, count=count):
            what = f"asked to run version {version} of program "
            return (what, program_id, f" on {many(count, 'row')} as batch {id}")
        case BatchEstimated(estimate=estimate):
            usd = "unknown" if estimate.cost_usd is None else f"{estimate.cost_usd} US dollars"
            calls = many(estimate.paid, "paid call")
            return (f"estimated that batch {id} takes {calls}, cost {usd}",)
        case BatchPaused(failure=failure):
            return (f"paused batch {id} because {cause_of(failure)}",)
        case BatchResumed():
            return (f"resumed batch {id}",)
        case BatchCancelled(reason=reason):
            return (f"called off batch {id} because {quoted(reason)}",)
        case BatchCompleted():
            return (f"completed batch {id}",)
        case _:
            assert_never(event)
