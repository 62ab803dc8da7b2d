"""The history of one thing over HTTP: what each event made of it, and what it changed."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final, Literal

from fastapi import Path, Query

from application.authorization import Permission, authorize
from infrastructure.api.dependencies import IdOrName, Reading
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections.history import HistoryRow, Kind, Mode, history

routes = router("/v1", "trail")

Resource = Literal[
    "signatures",
    "modules",
    "programs",
    "datasets",
    "executions",
    "optimizations",
    "evaluations",
    "probes",
    "tools",
    "workflows",
    "workflow-runs",
    "webhooks",
    "keys",
    "records",
    "bindings",
]

_KINDS: Final[Mapping[Resource, Kind]] = {
    "signatures": "signature",
    "modules": "module",
    "programs": "program",
    "datasets": "dataset",
    "executions": "execution",
    "optimizations": "optimization",
    "evaluations": "evaluation",
    "probes": "probe",
    "tools": "tool",
    "workflows": "workflow",
    "workflow-runs": "workflow_run",
    "webhooks": "webhook",
    "keys": "api_key",
    "records": "record",
    "bindings": "binding",
}

_NEEDS: Final[Mapping[Resource, Permission]] = {
    "keys": Permission.MANAGE_KEYS,
    "webhooks": Permission.SUBSCRIBE,
}
"""What whoever asks needs where reading is not enough: as much as for the thing itself."""


@routes.get("/{resource}/{thing}/history", response_model_exclude_unset=True)
async def read_history(
    resource: Annotated[Resource, Path(description="What kind of thing it is.")],
    thing: IdOrName,
    desk: Reading,
    mode: Annotated[
        Mode,
        Query(
            description="`changes_only`: what each event set; `full_diff`: what was there before, "
            "too; `snapshot`: the whole thing after it."
        ),
    ] = "changes_only",
    status: Annotated[
        str | None,
        Query(description="Only events after which it had this status.", examples=["production"]),
    ] = None,
    order: Literal["newest", "oldest"] = "newest",
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[HistoryRow]:
    """Read everything that happened to one thing, and what each event made of it.

    It is read from the log, so it is never behind a write. The changes are RFC 6902 operations:
    applied one after another, oldest first, they make each snapshot.
    """
    if (needs := _NEEDS.get(resource)) is not None:
        authorize(f"The history of {resource}", needs, desk.context.roles)
    kind, after = _KINDS[resource], decode(cursor)
    stream = await desk.run(partial(desk.history, kind, await desk.id_of(kind, thing)))
    page = await desk.run(
        lambda: history(
            stream, kind=kind, mode=mode, status=status, order=order, limit=limit, after=after
        )
    )
    return shown(page)
