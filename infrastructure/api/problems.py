"""Everything that can go wrong as an RFC 9457 problem: the one place that knows errors and HTTP."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, ClassVar, Literal, cast
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response

from application.errors import AsOfIsBusy, ProjectionIsLate, StoreIsUnavailable
from application.wording import sentence
from domain.access.errors import KeyIsRefused
from domain.errors import (
    ConflictError,
    DomainError,
    Fault,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SpentError,
    StaleVersion,
)
from domain.text import escape

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

Part = Literal["body", "query", "path", "header"]


class FaultView(BaseModel):
    """One thing wrong with a request: where it is, a stable code, and what to do."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    part: Annotated[Part, Field(alias="in", description="The part of the request.")] = "body"
    pointer: Annotated[str, Field(description="RFC 6901 JSON pointer into that part.")]
    code: str
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem. ``code`` is stable: branch on it; the sentences may improve."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/not_found",
                    "title": "Aggregate not found",
                    "status": 404,
                    "detail": "No program is called triage.",
                    "code": "not_found",
                    "faults": [],
                    "correlation_id": "0197b3a0-5f6e-7c4e-9d56-0d6a3a3b9c11",
                }
            ]
        }
    )

    type: Annotated[str, Field(description="Where the kind of problem is explained.")]
    title: str
    status: int
    detail: Annotated[str, Field(description="What is so, and what to do next.")]
    code: str
    faults: Sequence[FaultView] = ()
    correlation_id: Annotated[
        UUID | None, Field(description="Names this request in log and trail.")
    ]


class EdgeError(DomainError):
    """A request that never became a command."""

    status: ClassVar[int] = 400
    retry_after_s: int | None = None

    def __init__(self, message: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)
        self.headers: Mapping[str, str] = {}


class RequestIsInvalid(InvalidError):
    """Parts of the request do not have the form the route asks for; ``faults`` names them all."""

    code: ClassVar[str] = "request.invalid"

    def __init__(self, faults: Sequence[FaultView], command: str | None = None) -> None:
        count = "One value" if len(faults) == 1 else f"{len(faults)} values"
        super().__init__(
            f"{count} of this request cannot be used. See the faults, then send it again."
        )
        self.views, self.command = faults, command


class RouteIsUnknown(EdgeError):
    """Nothing is at this address."""

    code: ClassVar[str] = "route.unknown"
    status: ClassVar[int] = 404


class MethodIsNotAllowed(EdgeError):
    """The address exists, the method does not apply to it."""

    code: ClassVar[str] = "method.not_allowed"
    status: ClassVar[int] = 405


class RequestIsUnreadable(EdgeError):
    """The server could not make sense of the request's form."""

    code: ClassVar[str] = "request.unreadable"


class InternalError(EdgeError):
    """A defect of ours; the log has the details under the correlation id."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self) -> None:
        super().__init__("Something failed in the server. Report it with the correlation id.")


_STATUS: Mapping[type[DomainError], int] = {
    KeyIsRefused: 401,
    SpentError: 402,
    StoreIsUnavailable: 503,
    ProjectionIsLate: 503,
    AsOfIsBusy: 503,
    NotFoundError: 404,
    ForbiddenError: 403,
    StaleVersion: 412,
    ConflictError: 409,
    DomainError: 422,
}


def status_of(kind: type[DomainError]) -> int:
    """The HTTP status that says what *kind* of error it is."""
    if issubclass(kind, EdgeError):
        return kind.status
    return next(_STATUS[base] for base in kind.__mro__ if base in _STATUS)


def problem(error: DomainError, correlation_id: UUID | None) -> Problem:
    """*error* as it is told to the caller."""
    return Problem(
        type=f"/problems/{error.code}",
        title=title(type(error)),
        status=status_of(type(error)),
        detail=str(error),
        code=error.code,
        faults=faults_of(error),
        correlation_id=correlation_id,
    )


def response(
    error: DomainError, correlation_id: UUID | None, headers: Mapping[str, str] | None = None
) -> Response:
    """The reply that tells of *error*."""
    told = problem(error, correlation_id)
    own: Mapping[str, str] = error.headers if isinstance(error, EdgeError) else {}
    extra = {**own, **(headers or {})}
    if isinstance(error, EdgeError) and error.retry_after_s is not None:
        extra["Retry-After"] = str(error.retry_after_s)
    elif told.status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra["Retry-After"] = str(RETRY_AFTER_S)
    elif told.status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = "Bearer"
    return Response(told.model_dump_json(), told.status, extra, MEDIA_TYPE)


def title(kind: type[DomainError]) -> str:
    """The name of *kind* as words."""
    words = re.findall(r"[A-Z][a-z]*", kind.__name__)
    return " ".join(words).capitalize()


def kinds(root: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """Every kind of error that is loaded, each with its code."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def invalid_request(error: RequestValidationError) -> RequestIsInvalid:
    """What FastAPI found wrong with a request, all at once."""
    views = [_view(detail, detail["loc"], error.body) for detail in _told(error.errors())]
    return RequestIsInvalid(views)


def invalid_body(error: ValidationError, command: str) -> RequestIsInvalid:
    """What *command* found wrong with the body it was made from, all at once."""
    views = [_view(detail, ("body", *detail["loc"])) for detail in _told(error.errors())]
    return RequestIsInvalid(views, command)


def _told(found: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """What was *found*, without lists that are too short only because their items are wrong."""
    for detail in found:
        here = detail["loc"]
        inside = any(other["loc"][:-1][: len(here)] == here for other in found)
        if not (detail["type"] == "too_short" and inside):
            yield detail


def _view(detail: ErrorDetails, location: Sequence[str | int], sent: object = None) -> FaultView:
    part, *steps = location
    context = detail.get("ctx", {})
    if part == "body":
        steps = list(_sent(steps, sent))
    return FaultView(
        part=_part(part),
        pointer="".join(f"/{escape(step)}" for step in steps) + str(context.get("pointer", "")),
        code=detail["type"],
        message=sentence(detail),
    )


def _sent(steps: Sequence[str | int], sent: object) -> Iterator[str | int]:
    """The *steps* that lead into what was *sent*.

    Pydantic mixes in which of several forms a thing has: a word that stands in it as a value, or in
    brackets.
    """
    here = sent
    for step in steps:
        inner, is_form = _within(here, step)
        if is_form:
            continue
        here = inner
        yield step


def _within(here: object, step: str | int) -> tuple[object, bool]:
    """What is at *step* of *here*, and whether *step* is no step but the form that *here* has."""
    match here, step:
        case list(), int() if step < len(cast("list[object]", here)):
            return cast("list[object]", here)[step], False
        case dict(), str():
            parts = cast("dict[str, object]", here)
            is_form = step not in parts and (step.startswith("<") or step in parts.values())
            return parts.get(step), is_form
        case _:
            return None, False


def _part(part: str | int) -> Part:
    match part:
        case "query" | "path" | "header":
            return part
        case _:
            return "body"


def faults_of(error: DomainError) -> Sequence[FaultView]:
    """All that is wrong with a request, by *error*."""
    if isinstance(error, RequestIsInvalid):
        return error.views
    faults = error.faults if isinstance(error, InvalidError | EdgeError) else ()
    return [
        FaultView(pointer=fault.pointer, code=fault.code, message=fault.message) for fault in faults
    ]
