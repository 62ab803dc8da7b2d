"""Commands that left no event, for tests that only keep them."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from application.auditing import Attempt, Outcome


def an_attempt(tenant: str = "acme", **changes: Any) -> Attempt:
    """A refused command of *tenant*."""
    attempt = Attempt(
        tenant=tenant,
        actor="ann",
        operation="POST /v1/programs",
        command="CreateProgram",
        aggregate_id=uuid4(),
        outcome=Outcome.REFUSED,
        code="name.taken",
        reason="It is taken.",
        status=409,
        address_mode="network",
        address="203.0.113.0/24",
        correlation_id=uuid4(),
    )
    return replace(attempt, **changes)
