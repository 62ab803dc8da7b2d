"""What a GraphQL document may ask for, told from the document alone before anything is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)
from pydantic import JsonValue

from domain.errors import InvalidError
from projections.paging import DEFAULT_LIMIT, MAX_LIMIT

MAX_CHARACTERS: Final = 64 * 1024
MAX_TOKENS: Final = 4000
MAX_DEPTH: Final = 10
MAX_FIELDS: Final = 500
"""As written. To see which of them overlap takes the square of it."""
MAX_COST: Final = 5000
MAX_MUTATIONS: Final = 10

_ROOT_COST: Final = 100
_DIGITS: Final = 9
_PAGED: Final = frozenset({"listSignatures", "listPrograms"})
_INTROSPECTING: Final = frozenset({"__schema", "__type"})
_LISTING: Final = frozenset({"fields", "interfaces", "possibleTypes", "inputFields"})
"""What a type has many of. Those of all types once is what tools ask; of each of them again is not.
"""


class QueryIsInvalid(InvalidError):
    """The document is not GraphQL, or does not fit this tenant's schema."""

    code: ClassVar[str] = "graphql.invalid"


class QueryIsTooLarge(InvalidError):
    """Answering the document would cost more than any request may."""

    code: ClassVar[str] = "graphql.too_large"

    def __init__(self, what: str, most: int) -> None:
        super().__init__(
            f"A GraphQL request may have {most} {what}. Ask for less, or in several requests."
        )


def check(document: DocumentNode, variables: Mapping[str, JsonValue]) -> None:
    """Refuse *document* if an operation of it asks for too much.

    Raises:
        QueryIsTooLarge: It is too deep, or would cost too much.
    """
    measure = _Measure(document, variables)
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            _check(each.operation, measure.of(each.selection_set))
    if measure.written > MAX_FIELDS:
        raise QueryIsTooLarge("fields", MAX_FIELDS)


@dataclass(frozen=True, slots=True)
class _Size:
    """Of a selection: its fields, what they cost with all within, how deep they go.

    What is asked of the schema itself costs no rows. Its aliases are counted, and how deep lists
    stand in lists: without these no introspection is much longer than the one that tools make.
    """

    fields: int = 0
    cost: int = 0
    depth: int = 0
    aliases: int = 0
    introspecting: int = 0
    lists: int = 0
    introspected: int = 0

    def __add__(self, other: "_Size") -> "_Size":
        return _Size(
            self.fields + other.fields,
            self.cost + other.cost,
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.introspecting + other.introspecting,
            max(self.lists, other.lists),
            max(self.introspected, other.introspected),
        )


def _check(operation: OperationType, size: _Size) -> None:
    if operation is OperationType.MUTATION and size.fields > MAX_MUTATIONS:
        raise QueryIsTooLarge("mutations", MAX_MUTATIONS)
    if size.introspecting:
        raise QueryIsTooLarge("aliases within an introspection", 0)
    if size.introspected > 1:
        raise QueryIsTooLarge("level of lists within an introspection", 1)
    if size.depth > MAX_DEPTH:
        raise QueryIsTooLarge("levels", MAX_DEPTH)
    if size.cost + _ROOT_COST * size.fields > MAX_COST:
        raise QueryIsTooLarge("fields over all rows", MAX_COST)


class _Measure:
    """Looks at each part of a document once, however often it is spread."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, JsonValue]) -> None:
        self.written = 0
        self._variables = variables
        fragments = [
            each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        ]
        self._fragments = {each.name.value: each for each in fragments}
        self._known: dict[str, _Size] = {}
        for name in self._fragments:
            self._fragment(name)

    def of(self, selected: SelectionSetNode) -> _Size:
        """The size of what is *selected*."""
        size = _Size()
        for each in selected.selections:
            match each:
                case FieldNode():
                    size += self._field(each)
                case InlineFragmentNode():
                    size += self.of(each.selection_set)
                case FragmentSpreadNode():
                    size += self._fragment(each.name.value)
                case _:
                    pass
        return size

    def _fragment(self, name: str) -> _Size:
        if name not in self._known and name in self._fragments:
            self._known[name] = _Size()  # one that holds itself is refused later
            self._known[name] = self.of(self._fragments[name].selection_set)
        return self._known.get(name, _Size())

    def _field(self, field: FieldNode) -> _Size:
        self.written += 1
        inner = self.of(field.selection_set) if field.selection_set else _Size()
        name, aliases = field.name.value, inner.aliases + (field.alias is not None)
        if name in _INTROSPECTING:
            return _Size(1, 1, 1, aliases, aliases, introspected=inner.lists)
        rows = self._rows(field) if name in _PAGED else 1
        return _Size(
            1,
            rows * (1 + inner.cost),
            1 + inner.depth,
            aliases,
            inner.introspecting,
            inner.lists + (name in _LISTING),
            inner.introspected,
        )

    def _rows(self, field: FieldNode) -> int:
        """How many rows *field* may bring."""
        for each in field.arguments or ():
            if each.name.value == "first":
                return self._number(each.value)
        return DEFAULT_LIMIT

    def _number(self, value: ValueNode) -> int:
        match value:
            case IntValueNode(value=digits) if len(digits) <= _DIGITS:
                return max(int(digits), 1)
            case VariableNode():
                found = self._variables.get(value.name.value)
                return max(found, 1) if isinstance(found, int) else MAX_LIMIT
            case _:
                return MAX_LIMIT
