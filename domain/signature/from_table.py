"""A signature of a table of a database: its columns as fields, what they refer to as objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from domain.signature.constraints import Constraints
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.from_model import chosen
from domain.signature.types import (
    PRIMITIVES,
    STRING,
    ConstrainedOf,
    EnumOf,
    FieldType,
    ListOf,
    ObjectOf,
)

_ARRAY: Final = "[]"
_WORDS: Final = {
    **dict.fromkeys(("smallint", "integer", "bigint"), PRIMITIVES["integer"]),
    **dict.fromkeys(("real", "double precision", "numeric"), PRIMITIVES["float"]),
    "boolean": PRIMITIVES["boolean"],
    **dict.fromkeys(("json", "jsonb"), PRIMITIVES["any"]),
    **dict.fromkeys(("text", "character varying", "character", "citext", "uuid", "name"), STRING),
    **dict.fromkeys(("date", "interval", "inet", "xml"), STRING),
    "timestamp with time zone": STRING,
    "timestamp without time zone": STRING,
    "time with time zone": STRING,
    "time without time zone": STRING,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its database describes it.

    ``type`` is the name of its type without a length, ``[]`` after it for an array; ``words`` are
    those of an enum; ``refers_to`` is the table that a value of it is a key of.
    """

    name: str
    type: str
    is_required: bool
    comment: str | None = None
    max_length: int | None = None
    words: tuple[str, ...] = ()
    refers_to: "Table | None" = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table and those of its columns that whoever asks may read, in their order."""

    name: str
    columns: tuple[Column, ...]
    comment: str | None = None


def from_table(
    table: Table,
    *,
    outputs: Sequence[str],
    inputs: Sequence[str] | None = None,
    instructions: str | None = None,
) -> SignatureSpec:
    """The signature with those columns of *table* that are named.

    A column ``author_id`` that refers to another table also gives ``author``, an object of that
    table's columns. Columns whose names begin with an underscore, and types that JSON does not
    have, are left out.

    Raises:
        InvalidSignature: A name cannot be used; it names every fault.
    """
    found = {field.name: field for field in _fields(table)}
    return chosen(found, inputs, outputs, instructions)


def _fields(table: Table) -> Iterator[FieldSpec]:
    names = {column.name for column in table.columns}
    for column in table.columns:
        if column.name.startswith("_"):
            continue
        if (own := _type(column)) is not None:
            yield _field(column, column.name, own, column.comment)
        if column.refers_to is None:
            continue
        related = column.name.removesuffix("_id")
        inside = tuple(_fields(column.refers_to))
        if inside and related not in names:
            comment = column.refers_to.comment
            yield _field(column, related, ObjectOf(fields=inside), comment)


def _field(column: Column, name: str, type: FieldType, comment: str | None) -> FieldSpec:
    return FieldSpec(
        name=name, type=type, description=comment or None, optional=not column.is_required
    )


def _type(column: Column) -> FieldType | None:
    if column.words:
        item: FieldType | None = EnumOf(values=column.words)
    else:
        item = _WORDS.get(column.type.removesuffix(_ARRAY))
    if item is None:
        return None
    if column.max_length is not None:
        item = ConstrainedOf(of=item, constraints=Constraints(max_length=column.max_length))
    return ListOf(item=item) if column.type.endswith(_ARRAY) else item
