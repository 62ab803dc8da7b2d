"""The parameter ``as_of``: a position of the log, or a time, that a question is about."""

import re
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Annotated, Final, Protocol

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from projections.kernel import ReadStore

_POSITION: Final = re.compile(r"[0-9]{1,19}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_MALFORMED: Final = (
    "A position is meant, such as 42, or a time with its zone, such as 2026-11-20T09:30:00Z;"
    " in a URL write + as %2B."
)


class Past(Protocol):
    """What the log tells of former states; every method blocks."""

    def position(self, as_of: int | datetime) -> int:
        """The position that *as_of* means.

        Raises:
            AsOfIsAhead: The log has not come there.
        """
        ...

    def at(self, tenant: str, position: int) -> AbstractContextManager[ReadStore]:
        """The read models of *tenant* as they were at *position*, for the block."""
        ...


def _read(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if _POSITION.fullmatch(value) and int(value) < 2**63:
            return int(value)
        if _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:  # the thirtieth of February
        pass
    raise PydanticCustomError("as_of.malformed", _MALFORMED)


AsOf = Annotated[
    Annotated[int, Field(ge=0, lt=2**63)] | AwareDatetime | None,
    BeforeValidator(_read),
    Query(
        description="Answer as it was at this position or time (RFC 3339), exactly."
        " X-Stratal-Position then names the position; at_least is of no matter.",
        examples=[42, "2026-11-20T09:30:00Z"],
    ),
]
