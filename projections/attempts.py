"""Commands that left no event, from a table beside the log: no fold makes it, and it is bounded."""

from datetime import datetime
from typing import Literal, LiteralString, TypedDict, Unpack
from uuid import UUID

from pydantic import Field

from projections.kernel import ReadStore
from projections.paging import DEFAULT_LIMIT, Cursor, Key, Order, Page, Row, Select, bigint

Outcome = Literal["refused", "unchanged"]


class AttemptRow(Row):
    """A command that was refused, or that found everything so already."""

    id: int = Field(description="Later ones are greater.")
    at: datetime = Field(description="When it was kept, a moment after the answer.")
    actor: str = Field(description="Who asked for it.")
    operation: str = Field(description="The route it came by.")
    command: str | None = Field(description="Its name; null if the request never became one.")
    aggregate_id: UUID | None = Field(description="What it was about, if it got so far.")
    outcome: Outcome
    code: str | None = Field(description="The code of the problem; null if there was none.")
    reason: str = Field(description="The sentence it was answered with, without secrets.")
    status: int | None = Field(description="The HTTP status; null if nobody waited for it.")
    address_mode: Literal["none", "network", "full"] = Field(
        description="How much was to be kept of the client's address."
    )
    address: str | None = Field(description="What was kept of it.")
    correlation_id: UUID = Field(description="Names the request, there and in the trail.")
    left_out: int = Field(
        description="How many others came at about that time and were only counted: too many."
    )


class Filters(TypedDict, total=False):
    """What the attempts may be narrowed to; those ``until`` a time came before it."""

    actor: str | None
    command: str | None
    operation: str | None
    aggregate_id: UUID | None
    outcome: Outcome | None
    code: str | None
    correlation_id: UUID | None
    since: datetime | None
    until: datetime | None


def attempts(
    store: ReadStore,
    *,
    tenant: str,
    order: Literal["newest", "oldest"] = "newest",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
    **only: Unpack[Filters],
) -> Page[AttemptRow]:
    """The commands of *tenant* that left no event, as far back as they are kept."""
    select = Select(_SELECT, tenant=tenant)
    select.where("actor = %(actor)s", actor=only.get("actor"))
    select.where("command = %(command)s", command=only.get("command"))
    select.where("operation = %(operation)s", operation=only.get("operation"))
    select.where("aggregate_id = %(aggregate_id)s", aggregate_id=only.get("aggregate_id"))
    select.where("outcome = %(outcome)s", outcome=only.get("outcome"))
    select.where("code = %(code)s", code=only.get("code"))
    select.where("correlation_id = %(correlation_id)s", correlation_id=only.get("correlation_id"))
    select.where("at >= %(since)s", since=only.get("since"))
    select.where("at < %(until)s", until=only.get("until"))
    by = _NEWEST_FIRST if order == "newest" else _OLDEST_FIRST
    return select.page(store, AttemptRow, by, limit=limit, after=after)


_SELECT: LiteralString = """
    SELECT id, at, actor, operation, command, aggregate_id, outcome, code, reason, status,
           address_mode, address, correlation_id, left_out
    FROM stratal.attempts WHERE tenant = %(tenant)s"""

_ID = (Key("id", bigint),)
_NEWEST_FIRST = Order("id DESC", "id < %(after_id)s", _ID)
_OLDEST_FIRST = Order("id", "id > %(after_id)s", _ID)
