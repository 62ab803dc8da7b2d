"""The caches over HTTP: what is kept there can be told to go."""

from typing import Annotated

from fastapi import Query, Response

from application.authorization import Permission
from application.purges import PurgeCache
from application.reasons import NO_REASON
from domain.cache.aggregate import CachePurge
from domain.price.values import ModelName
from domain.program.aggregate import Program
from domain.text import LongText
from domain.values import Cache
from infrastructure.api.dependencies import Writing, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.route import router

PATH = "/v1/cache"
routes = router(PATH, "programs", needs=Permission.READ)


@routes.delete("")
async def purge_cache(
    desk: Writing,
    response: Response,
    cache: Annotated[Cache | None, Query(description="Only of one; else of both.")] = None,
    program: Annotated[
        str | None, Query(description="Only what runs of a program filled: its id or name.")
    ] = None,
    model: Annotated[
        ModelName | None, Query(description="Only what a model took part in, as in a trace.")
    ] = None,
    reason: Annotated[LongText, Query(description="Why; it is on record.")] = NO_REASON,
) -> Written:
    """Serve no more what was kept until now: all, or what fits each word that is given."""
    command = wish(
        PurgeCache,
        purge_id=desk.new_id(CachePurge.KIND),
        cache=cache,
        program_id=None if program is None else await desk.id_of(Program.KIND, program),
        model=model,
        reason=reason,
    )
    return written(response, await desk.dispatch(command))
