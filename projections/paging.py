"""Lists that are read page by page: each page starts beyond the last row of the one before."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Generic, LiteralString, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.errors import InvalidError
from projections.kernel import Projection, ReadStore

MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50

Cursor = tuple[int | str, ...]
"""The key of a page's last row, in JSON scalars; opaque to the client once encoded."""


class Row(BaseModel):
    """A row as it is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows in order, and where the next ones begin; ``next`` is ``None`` on the last page."""

    rows: tuple[R, ...]
    next: Cursor | None


class CursorIsInvalid(InvalidError):
    code: ClassVar[str] = "page.cursor_invalid"

    def __init__(self) -> None:
        super().__init__("This cursor is not one of this list. Start again without a cursor.")


class LimitIsInvalid(InvalidError):
    code: ClassVar[str] = "page.limit_invalid"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A page has 1 to {MAX_LIMIT} rows, not {limit}. Ask for fewer at a time.")


class Key(NamedTuple):
    """A column that orders a list, and how its value is read back from a cursor."""

    column: str
    parse: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Order:
    """A total order of rows. ``beyond`` compares with ``%(after_<column>)s`` of every key."""

    by: LiteralString
    beyond: LiteralString
    keys: tuple[Key, ...]

    def params(self, after: Cursor) -> dict[str, object]:
        """The values that ``beyond`` needs to start after the row at *after*.

        Raises:
            CursorIsInvalid: The cursor belongs to another list, or was made up.
        """
        try:
            return {
                f"after_{key.column}": key.parse(str(value))
                for key, value in zip(self.keys, after, strict=True)
            }
        except ValueError as error:
            raise CursorIsInvalid from error

    def cursor(self, row: BaseModel) -> Cursor:
        """The cursor that stands at *row*."""
        values: list[object] = [getattr(row, key.column) for key in self.keys]
        return tuple(value if isinstance(value, int) else str(value) for value in values)


def bigint(text: str) -> int:
    """The number that *text* is, if a column can hold it."""
    if not -(2**63) <= (value := int(text)) < 2**63:
        raise ValueError(text)
    return value


_POSITION = (Key("position", bigint),)
LATEST_CHANGE_FIRST = Order(
    "updated_at DESC, position DESC",
    "(updated_at, position) < (%(after_updated_at)s, %(after_position)s)",
    (Key("updated_at", datetime.fromisoformat), *_POSITION),
)
NEWEST_FIRST = Order("position DESC", "position < %(after_position)s", _POSITION)
OLDEST_FIRST = Order("position", "position > %(after_position)s", _POSITION)


class Select:
    """A SELECT that grows by the filters that were asked for; values travel as parameters alone."""

    def __init__(
        self, sql: LiteralString, *, of: type[Projection] | None = None, **params: object
    ) -> None:
        """Begin with *sql*, about the read model *of* if any; it ends in a WHERE clause."""
        self._sql: LiteralString = sql
        self._groups: LiteralString = ""
        self._of = of
        self._params: dict[str, object] = params

    def where(self, condition: LiteralString, **params: object) -> Self:
        """Keep only rows that meet *condition*, unless one of its *params* is ``None``."""
        if None not in params.values():
            self._sql += " AND " + condition
            self._params.update(params)
        return self

    def grouped(self, by: LiteralString) -> Self:
        """Make one row of all that are equal in *by*."""
        self._groups = " GROUP BY " + by
        return self

    def called(self, id: LiteralString, id_or_name: UUID | str) -> Self:
        """Keep only what has *id_or_name*, which is looked for in the column *id* or as a name."""
        if isinstance(id_or_name, UUID):
            return self.where(id + " = %(id)s", id=id_or_name)
        return self.where("name = %(name)s", name=id_or_name)

    def page(
        self, store: ReadStore, row: type[R], order: Order, *, limit: int, after: Cursor | None
    ) -> Page[R]:
        """Read at most *limit* rows that follow *after*.

        Raises:
            LimitIsInvalid: Not between 1 and ``MAX_LIMIT``.
            CursorIsInvalid: The cursor belongs to another list, or was made up.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise LimitIsInvalid(limit)
        if after is not None:
            self.where(order.beyond, **order.params(after))
        sql = self._sql + self._groups + " ORDER BY " + order.by + " LIMIT %(rows)s"
        found = store.rows(sql, self._params | {"rows": limit + 1}, of=self._of)
        rows = tuple(row.model_validate(dict(each)) for each in found[:limit])
        return Page(rows, order.cursor(rows[-1]) if len(found) > limit else None)

    def first(self, store: ReadStore, row: type[R], *, order: LiteralString) -> R | None:
        """The first row in *order*, if any."""
        sql = self._sql + " ORDER BY " + order + " LIMIT 1"
        found = store.rows(sql, self._params, of=self._of)
        return row.model_validate(dict(found[0])) if found else None

    def only(self, store: ReadStore, row: type[R]) -> R:
        """The one row of a SELECT that always has one."""
        return row.model_validate(dict(store.rows(self._sql, self._params, of=self._of)[0]))
