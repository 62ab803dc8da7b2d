"""Versions of aggregates as entity tags, and what every write tells of itself in its headers."""

import re
from typing import ClassVar, Final
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from application.ports import Receipt
from infrastructure.api.problems import EdgeError

POSITION: Final = "X-Stratal-Position"

_STRONG: Final = re.compile(r'^"([1-9][0-9]{0,17})"$')


class EtagIsMalformed(EdgeError):
    """If-Match holds something that no reply of ours had as its ETag."""

    code: ClassVar[str] = "etag.malformed"

    def __init__(self) -> None:
        super().__init__('If-Match is the ETag of an earlier reply, such as "3", or *. Copy it.')


class Written(BaseModel):
    """What a write did. Ask with ``at_least=<position>`` to see it in every list."""

    id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it ended; 0 if it was so already.")


def version_in(if_match: str) -> int | None:
    """The version that *if_match* demands; ``None`` for ``*``.

    Raises:
        EtagIsMalformed: It is neither.
    """
    if if_match.strip() == "*":
        return None
    if (found := _STRONG.match(if_match.strip())) is None:
        raise EtagIsMalformed
    return int(found.group(1))


def tag(response: Response, version: int) -> None:
    """Say which version the reply shows."""
    response.headers["ETag"] = f'"{version}"'


def placed(response: Response, position: int) -> None:
    """Say where in the log lies the latest that the reply shows."""
    response.headers[POSITION] = str(position)


def written(response: Response, receipt: Receipt, path: str | None = None) -> Written:
    """Say what a write did, in headers and body; *path* is where its result can be read.

    The Location asks for at least the write's own position, so that following it always finds it.
    """
    tag(response, receipt.version)
    placed(response, receipt.position)
    if path is not None:
        fresh = f"?at_least={receipt.position}" if receipt.position else ""
        response.headers["Location"] = path + fresh
    return Written(id=receipt.id, version=receipt.version, position=receipt.position)
