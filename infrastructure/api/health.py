"""Whether the service lives, and whether it can serve: read models near the log, runners alive."""

from typing import ClassVar, Final, Literal

from anyio import fail_after, to_thread
from fastapi import Request, Response, status
from pydantic import BaseModel, Field

from application.errors import StoreIsUnavailable
from domain.errors import NotFoundError
from infrastructure.api.dependencies import ApiDependencies, Lag
from infrastructure.api.problems import kinds, status_of, title
from infrastructure.api.route import router

STALE_AFTER_S: Final = 15.0
"""A runner that said nothing for so long is not trusted to be alive."""

_PATIENCE_S: Final = 3.0
_NEVER: Final = "There are no read models: no projector has run on this database yet. Start one."

routes = router("", "service", needs=None)


class HealthView(BaseModel):
    """The process answers. Nothing else was asked."""

    status: Literal["ok"] = "ok"
    version: str


class ProjectionView(BaseModel):
    """How far a read model is behind the log."""

    name: str
    version: int
    position: int
    behind: int = Field(description="Positions between it and the end of the log.")
    behind_s: float = Field(description="Age in seconds of the oldest event it has not seen.")
    heartbeat_age_s: float = Field(description="Seconds since its runner said that it is alive.")
    parked: int = Field(description="Events it does without until they are replayed.")
    failure: str | None = Field(description="Why it stopped, if it did.")


class ReadinessView(BaseModel):
    """Whether to send requests here, and what to look at.

    Degraded is ready: everything is answered, but a read model does without the events of some
    streams. To send requests elsewhere would not help: all processes read the same tables.
    """

    status: Literal["ready", "degraded", "not_ready"]
    reasons: tuple[str, ...]
    projections: tuple[ProjectionView, ...]


class ProblemKind(BaseModel):
    """What a problem's ``type`` means."""

    type: str
    title: str
    status: int
    code: str
    meaning: str


class ProblemIsUnknown(NotFoundError):
    """No problem of this service has the code."""

    code: ClassVar[str] = "problem.unknown"


@routes.get("/healthz")
async def health(request: Request) -> HealthView:
    """Whether the process lives."""
    deps: ApiDependencies = request.app.state.deps
    return HealthView(version=deps.version)


@routes.get(
    "/readyz",
    responses={503: {"model": ReadinessView, "description": "Not ready, or the database is down."}},
)
async def readiness(request: Request, response: Response) -> ReadinessView:
    """Whether to send requests here, with the lag of every read model."""
    deps: ApiDependencies = request.app.state.deps
    try:
        with fail_after(_PATIENCE_S):
            lags = await to_thread.run_sync(deps.lags, abandon_on_cancel=True)
    except TimeoutError:
        why = f"it did not answer within {_PATIENCE_S:.0f} s"
        raise StoreIsUnavailable(why, "Try again.") from None
    stopped = [reason for lag in lags if (reason := _reason(lag))] if lags else [_NEVER]
    lacking = [reason for lag in lags if (reason := _lack(lag))]
    if stopped:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return ReadinessView(
        status="not_ready" if stopped else "degraded" if lacking else "ready",
        reasons=(*stopped, *lacking),
        projections=tuple(_shown(lag) for lag in lags),
    )


@routes.get("/problems/{code}")
async def problem_kind(code: str) -> ProblemKind:
    """What a problem means: its ``type`` leads here."""
    kind = next((each for each in kinds() if each.code == code), None)
    if kind is None:
        raise ProblemIsUnknown(f"No problem has the code {code!r}.")
    return ProblemKind(
        type=f"/problems/{code}",
        title=title(kind),
        status=status_of(kind),
        code=code,
        meaning=" ".join((kind.__doc__ or title(kind)).split()),
    )


def _reason(lag: Lag) -> str | None:
    if lag.failure is not None:
        return f"{lag.name} stopped: {lag.failure}"
    if lag.heartbeat_age_s > STALE_AFTER_S:
        return f"The runner of {lag.name} has been silent for {lag.heartbeat_age_s:.0f} s."
    return None


def _lack(lag: Lag) -> str | None:
    if lag.parked_because is None:
        return None
    event, _, why = lag.parked_because.partition(": ")
    # The kind alone: its words may be a tenant's, and anybody may ask.
    return (
        f"{lag.name} does without {lag.parked} parked events, the first is the "
        f"{event}: {why.partition(':')[0]}. Once mended: stratal projections replay {lag.name}."
    )


def _shown(lag: Lag) -> ProjectionView:
    return ProjectionView(
        name=lag.name,
        version=lag.version,
        position=lag.position,
        behind=max(0, lag.head - lag.position),
        behind_s=round(lag.behind_s, 3),
        heartbeat_age_s=round(lag.heartbeat_age_s, 3),
        parked=lag.parked,
        failure=lag.failure,
    )
