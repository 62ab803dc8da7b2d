"""Pictures of programs over HTTP."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Path, Query, Response

from application.drawing.mermaid import mermaid
from application.drawing.svg import svg
from application.errors import AggregateNotFound
from domain.errors import DomainError
from domain.program.errors import ProgramVersionNotFound
from infrastructure.api.dependencies import IdOrName, Reading
from infrastructure.api.route import router
from projections.program_catalog import GraphRow, program_graph
from projections.program_catalog import program as program_of

KIND: Final = "program"
routes = router("/v1/programs", "programs")

_DRAWN: Final[Mapping[str, tuple[str, Callable[[GraphRow], str]]]] = {
    "svg": ("image/svg+xml", lambda it: svg(it.graph, f"{it.name}, version {it.program_version}")),
    "mermaid": ("text/plain; charset=utf-8", lambda it: mermaid(it.graph)),
}
# The picture brings its own style and nothing else.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@routes.get(
    "/{program}/versions/{program_version}/drawing",
    response_class=Response,
    responses={
        200: {
            "description": "The picture.",
            "content": {
                "image/svg+xml": {"schema": {"type": "string"}},
                "text/plain": {"schema": {"type": "string"}},
            },
        }
    },
)
async def draw_program(
    program: IdOrName,
    program_version: Annotated[int, Path(ge=1, lt=2**31)],
    desk: Reading,
    format: Annotated[
        Literal["svg", "mermaid"], Query(description="A picture, or text that Mermaid draws.")
    ] = "svg",
) -> Response:
    """Draw the graph of a version: its nodes, their bodies, and which value goes where."""
    program_id = await desk.id_of(KIND, program)
    row = await desk.read(
        lambda store: program_graph(store, program_id, program_version, tenant=desk.tenant)
    )
    if row is None:
        raise await _missing(desk, program_id, program_version)
    media_type, drawn = _DRAWN[format]
    headers = {"Content-Security-Policy": _POLICY, **desk.headers}
    return Response(drawn(row), headers=headers, media_type=media_type)


async def _missing(desk: Reading, program_id: UUID, program_version: int) -> DomainError:
    row = await desk.read(lambda store: program_of(store, program_id, tenant=desk.tenant))
    if row is None:
        return AggregateNotFound(KIND, program_id)
    return ProgramVersionNotFound(program_id, program_version, row.latest_version)
