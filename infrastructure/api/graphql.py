"""GraphQL over HTTP: one address for all that a tenant's schema has."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, Field, JsonValue, ValidationError

from application.executions import RequestExecution
from domain.errors import DomainError
from domain.text import JsonObject
from infrastructure.api.attempts import marked
from infrastructure.api.bodies import Body
from infrastructure.api.dependencies import Freshness, Reader, Writer, Writing
from infrastructure.api.edge import correlation_of
from infrastructure.api.etags import POSITION
from infrastructure.api.execution_views import ExecutionDetail, execution_detail
from infrastructure.api.executions import KIND, NewExecution, run_program
from infrastructure.api.problems import InternalError, invalid_body, problem
from infrastructure.api.route import router
from infrastructure.api.runs import LONGEST_WAIT_S
from projections.kernel import ReadStore

T = TypeVar("T")

routes = router("", "graphql")


class GraphQlRequest(Body):
    """What is asked in GraphQL."""

    query: str = Field(
        description="A document with the operation.",
        examples=["{ listPrograms { items { name stage } } }"],
    )
    variables: JsonObject | None = None
    operation_name: Annotated[
        str | None, Field(alias="operationName", description="Which, if there are several.")
    ] = None
    extensions: JsonObject | None = Field(default=None, description="Nothing is read of it.")


class GraphQlError(BaseModel):
    """One thing that went wrong, and where; its `extensions` are an RFC 9457 problem."""

    message: str
    locations: list[dict[str, int]] = []
    path: list[str | int] = []
    extensions: dict[str, JsonValue] = Field(description="A problem; branch on its `code`.")


class GraphQlResponse(BaseModel):
    """Data, and what went wrong with some of it or with all."""

    data: dict[str, JsonValue] | None = None
    errors: list[GraphQlError] = []


class Wish(Protocol):
    """A program to run; see ``infrastructure.graphql``."""

    @property
    def program(self) -> UUID: ...
    @property
    def inputs(self) -> JsonObject: ...
    @property
    def place(self) -> str: ...
    @property
    def id(self) -> UUID | None: ...
    @property
    def wait_s(self) -> float | None: ...


class GraphQl(Protocol):
    """Answers GraphQL; what it asks for on behalf of a caller is done here."""

    async def answer(
        self,
        query: str,
        variables: Mapping[str, JsonValue],
        operation: str | None,
        caller: Any,  # what it may be asked is the adapter's to say, which this one does not know
    ) -> dict[str, object]:
        """The response to *query*: data, and the problems there were."""
        ...


@routes.post("/graphql", response_model=GraphQlResponse)
async def ask_graphql(
    request: Request, body: GraphQlRequest, desk: Writing, at_least: Freshness = None
) -> Response:
    """Ask by the schema of your signatures and programs, or run programs with their own types.

    The reply is 200 whatever became of the request; `errors` say what went wrong.
    """
    caller = _Caller(request, desk, at_least)
    graphql: GraphQl = request.app.state.graphql
    said = await graphql.answer(body.query, body.variables or {}, body.operation_name, caller)
    headers = {POSITION: str(caller.position)} if caller.position else {}
    return Response(json.dumps(said), headers=headers, media_type="application/json")


class _Caller:
    """One request's way to the rest: what is asked goes through the desks of REST."""

    def __init__(self, request: Request, desk: Writer, at_least: int | None) -> None:
        state = request.app.state
        self._state, self._scope, self._writer = state, request.scope, desk
        self._reader = Reader(
            state.deps, state.limiter, desk.context, Response(), at_least=at_least, as_of=None
        )
        self._until_s = monotonic() + LONGEST_WAIT_S
        self.position = 0

    @property
    def tenant(self) -> str:
        """Whose things the request may see."""
        return self._reader.tenant

    async def read(self, query: Callable[[ReadStore], T]) -> T:
        """Run *query* in a thread, once the read models have seen enough."""
        return await self._reader.read(query)

    def execution(self, id: UUID) -> ExecutionDetail:
        """One execution, from the log itself."""
        return execution_detail(self._reader.history(KIND, id), self._reader.deps.payloads)

    async def execute(self, asked: Wish) -> ExecutionDetail:
        """Run a program as its route does; several in one request wait no longer than one may."""
        try:
            return await self._execute(asked)
        except DomainError as error:
            marked(self._scope).failed(error)
            raise

    async def _execute(self, asked: Wish) -> ExecutionDetail:
        try:
            body = NewExecution(inputs=asked.inputs, id=asked.id, wait=asked.wait_s)
        except ValidationError as error:
            raise invalid_body(error, RequestExecution.__name__) from None
        desk, left_s = self._desk(asked.place), max(self._until_s - monotonic(), 0)
        ran = await run_program(desk, asked.program, body, execution_detail, longest_s=left_s)
        self.position = max(self.position, ran.view.position)
        return ran.view

    def _desk(self, place: str) -> Writer:
        """A desk for one of several commands: each has an id of its own, and a key if any has."""
        desk, state = self._writer, self._state
        key = desk.key and f"{desk.key} {place}"  # no key of a caller's holds a space
        context = replace(desk.context, command_id=str(state.deps.ids()))
        return Writer(state.deps, state.limiter, context, key, marked(self._scope))

    def told(self, error: DomainError | None) -> Mapping[str, object]:
        """The problem that *error* is; without one, a defect of ours."""
        told = problem(error or InternalError(), correlation_of(self._scope))
        return told.model_dump(mode="json", by_alias=True)
