"""The API as one ASGI application."""

from collections.abc import Mapping
from typing import Final

from anyio import CapacityLimiter
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from application.examples import RowHashes
from infrastructure.api import (
    attempted,
    audit_export,
    batches,
    bindings,
    budgets,
    caches,
    catalogs,
    comparisons,
    costs,
    counterfactuals,
    dataset_rows,
    datasets,
    docs,
    drawings,
    evaluations,
    execution_streams,
    executions,
    feed,
    generations,
    graphql,
    health,
    histories,
    keys,
    lm_calls,
    model_health,
    model_routes,
    modules,
    openapi,
    optimizations,
    prices,
    probes,
    program_lives,
    programs,
    proofs,
    proposals,
    providers,
    records,
    replays,
    signatures,
    tools,
    trail,
    usage,
    versions,
    webhooks,
    workflow_runs,
    workflows,
)
from infrastructure.api.attempts import refused
from infrastructure.api.dependencies import ApiDependencies
from infrastructure.api.document import DESCRIPTION, TAGS, describe
from infrastructure.api.edge import Edge, correlation_of
from infrastructure.api.gate import Gate
from infrastructure.api.guard import Guard
from infrastructure.api.problems import (
    EdgeError,
    MethodIsNotAllowed,
    RequestIsUnreadable,
    RouteIsUnknown,
)
from infrastructure.api.witness import Witness

_ROUTES: Final = (
    executions.program_routes,  # first: routes are tried in their order, and this one is hot
    signatures.routes,
    comparisons.routes,
    modules.routes,
    programs.routes,
    program_lives.routes,
    versions.routes,
    drawings.routes,
    executions.routes,
    execution_streams.routes,
    replays.routes,
    batches.program_routes,
    batches.routes,
    counterfactuals.program_routes,
    counterfactuals.routes,
    optimizations.program_routes,
    optimizations.routes,
    proposals.routes,
    evaluations.program_routes,
    evaluations.routes,
    probes.routes,
    tools.routes,
    workflows.routes,
    workflow_runs.routes,
    webhooks.routes,
    datasets.routes,
    dataset_rows.routes,
    trail.routes,
    audit_export.routes,
    attempted.routes,
    feed.routes,
    proofs.routes,
    histories.routes,
    records.routes,  # after histories: theirs are not of a kind called history
    bindings.routes,
    usage.routes,
    lm_calls.routes,
    catalogs.routes,
    budgets.routes,
    providers.routes,
    model_health.routes,
    generations.routes,
    caches.routes,
    model_routes.routes,
    prices.routes,
    costs.routes,
    keys.routes,
    graphql.routes,
    health.routes,
    openapi.routes,
    docs.routes,
)


def create_app(deps: ApiDependencies, answers: graphql.GraphQl) -> FastAPI:
    """The API over *deps*: every route, guarded, each refusal a problem; *answers* to GraphQL."""
    app = FastAPI(
        title="Stratal",
        version=deps.version,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.deps = deps
    app.state.limiter = CapacityLimiter(deps.threads)
    app.state.graphql = answers
    app.state.documents = openapi.Documents()
    app.state.row_hashes = RowHashes()
    for each in _ROUTES:
        app.include_router(each)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_middleware(Guard)
    app.add_middleware(Gate, callers=deps.callers, rates=deps.rates)
    app.add_middleware(Edge, ids=deps.ids)
    app.add_middleware(Witness, routes=[it for each in _ROUTES for it in each.routes])
    describe(app)
    return app


async def _unrouted(request: Request, error: Exception) -> Response:
    """Requests that no route took."""
    assert isinstance(error, HTTPException)
    headers: Mapping[str, str] = error.headers or {}
    refusal = _refusal(request, error.status_code)
    return refused(request.scope, refusal, correlation_of(request.scope), headers)


def _refusal(request: Request, status: int) -> EdgeError:
    where = request.url.path
    if status == RouteIsUnknown.status:
        return RouteIsUnknown(f"Nothing is at {where}. See /docs for what there is.")
    if status == MethodIsNotAllowed.status:
        return MethodIsNotAllowed(f"{request.method} does not apply to {where}. See /docs.")
    return RequestIsUnreadable("This request cannot be read. See /docs for its form.")
