"""Model calls over HTTP: what was asked and answered, whatever run asked it."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field, JsonValue

from infrastructure.api.call_views import text_of
from infrastructure.api.dependencies import Reading
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import lm_calls as read_model
from projections.lm_calls import LmCallRow

routes = router("/v1/lm-calls", "trail")


class LmCallTold(LmCallRow):
    """A model call with its texts."""

    request_text: JsonValue = Field(description="Prompt and settings; null once erased.")
    response_text: JsonValue = Field(description="The answer; null if it failed or was erased.")


@routes.get("")
async def list_lm_calls(
    desk: Reading,
    module_id: Annotated[UUID | None, Query(description="Only of a module's predictors.")] = None,
    program_id: Annotated[UUID | None, Query(description="Only of a program.")] = None,
    model: Annotated[str | None, Query(description="Only of a model.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[LmCallTold]:
    """List model calls of all runs with prompt and answer, newest first."""
    after = decode(cursor)
    page = await desk.read(
        lambda store: read_model.recent_lm_calls(
            store,
            tenant=desk.tenant,
            program_id=program_id,
            module_id=module_id,
            model=model,
            limit=limit,
            after=after,
        )
    )
    view = shown(page)
    told = await desk.run(lambda: [_told(desk, each) for each in view.items])
    return PageView(items=tuple(told), next=view.next)


def _told(desk: Reading, row: LmCallRow) -> LmCallTold:
    payloads = desk.deps.payloads
    return LmCallTold(
        **dict(row),
        request_text=text_of(row.request, payloads),
        response_text=text_of(row.response, payloads),
    )
