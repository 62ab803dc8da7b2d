"""How models fare over HTTP, as the calls of the tenant show it."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel

from infrastructure.api.dependencies import Reading
from infrastructure.api.route import router
from infrastructure.system import SystemClock
from projections.model_health import ModelHealth, model_health

routes = router("/v1/models", "providers")

_CLOCK: Final = SystemClock()


class ModelsHealth(BaseModel):
    """The models that were called lately."""

    items: tuple[ModelHealth, ...]


@routes.get("/health")
async def read_model_health(
    desk: Reading,
    minutes: Annotated[int, Query(ge=1, le=1440, description="How far back.")] = 15,
) -> ModelsHealth:
    """See which models answer, how often they do not, and why: by the newest thousand calls."""
    since = _CLOCK.now() - timedelta(minutes=minutes)
    found = await desk.read(lambda store: model_health(store, tenant=desk.tenant, since=since))
    return ModelsHealth(items=tuple(found))
