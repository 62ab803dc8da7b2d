"""Pages of a list: an opaque cursor on the wire, a key of the read model behind it."""

import base64
import binascii
import json
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from projections.paging import DEFAULT_LIMIT, MAX_LIMIT, Cursor, CursorIsInvalid, Page, Row

R = TypeVar("R", bound=Row)
V = TypeVar("V", bound=BaseModel)

_CURSOR: TypeAdapter[Cursor] = TypeAdapter(tuple[int | str, ...])

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows on a page.")]
After = Annotated[
    str | None, Query(max_length=1024, alias="cursor", description="`next` of the page before.")
]
LIMIT = DEFAULT_LIMIT


class PageView(BaseModel, Generic[V]):
    """Some rows in order. Send ``next`` as ``cursor`` for the following ones."""

    items: tuple[V, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


def shown(page: Page[R]) -> PageView[R]:
    """*page* as the wire has it."""
    return PageView(items=page.rows, next=encode(page.next))


def encode(cursor: Cursor | None) -> str | None:
    """*cursor* as one word for a query."""
    if cursor is None:
        return None
    text = json.dumps(list(cursor), separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(word: str | None) -> Cursor | None:
    """The cursor that *word* encodes.

    Raises:
        CursorIsInvalid: No page gave it out.
    """
    if word is None:
        return None
    try:
        padded = word.encode("ascii") + b"=" * (-len(word) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True)
        return _CURSOR.validate_json(text, strict=True)
    except (UnicodeError, binascii.Error, ValidationError):
        raise CursorIsInvalid from None
