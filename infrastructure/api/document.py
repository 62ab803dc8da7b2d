"""The OpenAPI document: every route with the problems it can answer with."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from infrastructure.api.gate import is_open
from infrastructure.api.problems import MEDIA_TYPE, Problem

DESCRIPTION: Final = (
    "An event-sourced control plane for DSPy programs. Every write appends facts to one log and "
    "names its position in `X-Stratal-Position`; a query with `at_least` that position sees them, "
    "and one with `as_of` a position or a time is answered as it was then. "
    "Send an `Idempotency-Key` with every write and repeat it safely. What goes wrong is an "
    "RFC 9457 problem with a stable `code`; its `type` leads to what it means."
)
TAGS: Final = [
    {"name": "signatures", "description": "What goes in and what comes out."},
    {"name": "modules", "description": "A signature with a way to ask for it."},
    {"name": "tools", "description": "What agents may call."},
    {"name": "programs", "description": "Modules wired together, in versions and stages."},
    {"name": "executions", "description": "Runs of a program, with every model call."},
    {"name": "batches", "description": "A program on many rows, a few at a time."},
    {"name": "optimizations", "description": "Searches for a better version."},
    {"name": "evaluations", "description": "Scores of a version on a dataset."},
    {"name": "workflows", "description": "Steps done in turn, and undone in turn."},
    {"name": "webhooks", "description": "Where what happens is sent."},
    {"name": "probes", "description": "Modules of your own, tried out before they are used."},
    {"name": "datasets", "description": "Labelled rows to learn from and to judge on."},
    {
        "name": "records",
        "description": "Things of your own, whose changes may run programs.",
    },
    {"name": "bindings", "description": "Which changes of records run which program."},
    {"name": "trail", "description": "What happened, who did it, and what it cost."},
    {"name": "proofs", "description": "What was signed of what happened, and how to check it."},
    {"name": "catalogs", "description": "What a request may name: metrics and optimizers."},
    {"name": "providers", "description": "Which language models there are, and where."},
    {"name": "routes", "description": "Which of several models answers a run."},
    {"name": "budgets", "description": "What runs may cost, set aside before they begin."},
    {"name": "costs", "description": "What models cost, and what their calls did."},
    {"name": "keys", "description": "Who may do what, where access is by keys."},
    {"name": "graphql", "description": "All that is yours by one schema of your own."},
    {"name": "service", "description": "Whether it lives, and what its problems mean."},
]

_SCHEMAS: Final = "#/components/schemas/{model}"
_PROBLEMS: Final = {
    "BadRequest": "The request is not what it says it is: no JSON, no UTF-8, no ETag.",
    "Unauthenticated": "Access is by keys, and the request has no good one.",
    "Forbidden": "You are known, and may not; the sentence names the permission that is missing.",
    "NotFound": "Nothing has this id or name.",
    "Conflict": "The present state forbids it, or somebody else was first.",
    "Stale": "It changed since the version in If-Match.",
    "TooLarge": "The body is too large.",
    "UnknownMediaType": "The body is of a type this route does not read.",
    "Invalid": "Something in the request cannot be used; the faults name everything.",
    "TooMany": "More requests than are allowed in the time. Try again after Retry-After.",
    "Unavailable": "The database or a read model is not there yet. Try again after Retry-After.",
    "Problem": "Any other problem.",
}
_ALWAYS: Final = {"422": "Invalid", "503": "Unavailable", "default": "Problem"}
_KNOWN: Final = {"401": "Unauthenticated", "403": "Forbidden", "429": "TooMany"}
"""What only those can meet of whom the gate asks who they are."""
_WRITES: Final = {
    "400": "BadRequest",
    "409": "Conflict",
    "413": "TooLarge",
    "415": "UnknownMediaType",
}
_SHARED: Final = frozenset(
    {
        "Idempotency-Key",
        "If-Match",
        "X-Stratal-Actor",
        "X-Stratal-Tenant",
        "as_of",
        "at_least",
        "cursor",
        "limit",
        "prefer",
        "wait",
    }
)
_HEADERS: Final = {
    "ETag": "The version after it; send it as If-Match.",
    "X-Stratal-Position": "Where in the log it ended; ask with at_least this to see it.",
    "Location": "Where its result can be read, no staler than itself.",
}
_WRITTEN: Final = frozenset({"200", "201", "202"})
_METHODS: Final = frozenset({"delete", "get", "patch", "post", "put"})


def describe(app: FastAPI) -> None:
    """Have *app* publish its document, with problems told as problems."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    tags=app.openapi_tags,
                    routes=app.routes,
                    separate_input_output_schemas=False,
                )
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _with_problems(found: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = found["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template=_SCHEMAS)
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    found["components"]["responses"] = {name: _problem(text) for name, text in _PROBLEMS.items()}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found["components"]["headers"] = _headers()
    found["security"] = [{"key": []}, {}]
    found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    shared: dict[str, Any] = found["components"].setdefault("parameters", {})
    for path, operations in found["paths"].items():
        for method in sorted(_METHODS & operations.keys()):
            _add_problems(path, method, operations[method])
            _share_parameters(operations[method], shared)
    return found


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    names = {each["name"] for each in operation.get("parameters", ())}
    told = _ALWAYS | ({} if is_open(path) else _KNOWN)
    if "{" in path:
        told["404"] = "NotFound"
    if method != "get":
        told |= _WRITES
    if "Idempotency-Key" in names:
        for status in operation["responses"].keys() & _WRITTEN:
            operation["responses"][status]["headers"] = {
                name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS
            }
    if "If-Match" in names:
        told["412"] = "Stale"
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's own form of it, which is never sent
    for status, name in sorted(told.items()):
        responses.setdefault(status, {"$ref": f"#/components/responses/{name}"})


def _share_parameters(operation: dict[str, Any], shared: dict[str, Any]) -> None:
    """Tell what many routes take once, and refer to it."""
    parameters = operation.get("parameters", [])
    for index, each in enumerate(parameters):
        name = each["name"]
        if name in _SHARED and shared.setdefault(name, each) == each:
            parameters[index] = {"$ref": f"#/components/parameters/{name}"}


def _headers() -> dict[str, Any]:
    """What every write tells of itself."""
    return {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in _HEADERS.items()
    }


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": _SCHEMAS.format(model="Problem")}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
