"""Builders of what runs are made of: calls, payload references, failures."""

import hashlib
from decimal import Decimal

from application.payloads import Payload
from domain.values import Failure, LmCall, LmUsage, PayloadRef, ToolCall


def ref(name: str) -> PayloadRef:
    """A reference to a text that nobody stored."""
    return PayloadRef(digest=hashlib.sha256(name.encode()).hexdigest(), size_bytes=len(name))


def key(name: str) -> str:
    """The content key of the call named *name*."""
    return hashlib.sha256(name.encode()).hexdigest()


def answered(name: str) -> tuple[LmCall, Payload, Payload]:
    """A call, its request and its response: 5 tokens in, 2 out, a tenth of a cent."""
    request, response = Payload.of({"ask": name}), Payload.of({"say": name})
    call = LmCall(
        key=key(name),
        node="answer",
        model="scripted",
        request=request.ref,
        response=response.ref,
        usage=LmUsage(prompt_tokens=5, completion_tokens=2, total_tokens=7),
        cost_usd=Decimal("0.001"),
        latency_ms=1.5,
    )
    return call, request, response


def refused(name: str, message: str = "The model is overloaded.") -> tuple[LmCall, Payload, None]:
    """A call that the provider never answered."""
    request = Payload.of({"ask": name})
    call = LmCall(
        key=key(name),
        node="answer",
        model="scripted",
        request=request.ref,
        response=None,
        latency_ms=1.5,
        failure=Failure(code="model.unavailable", message=message, retryable=True),
    )
    return call, request, None


def used(name: str) -> tuple[ToolCall, Payload, Payload]:
    """A call of a tool, its arguments and its result."""
    arguments, result = Payload.of({"query": name}), Payload.of({"result": name})
    call = ToolCall(
        key=key(name),
        node="answer",
        tool="search",
        arguments=arguments.ref,
        result=result.ref,
        latency_ms=2.5,
    )
    return call, arguments, result


OVERLOADED = Failure(code="model.unavailable", message="The model is overloaded.", retryable=True)
BROKEN = Failure(code="program.failed", message="The program failed.")
