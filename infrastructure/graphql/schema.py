"""The schema of one tenant: what is the same for all, and the types of its own things."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, TypeVar
from uuid import UUID

from graphql import (
    GraphQLArgument,
    GraphQLDefaultInput,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
)
from pydantic import BaseModel, JsonValue

from domain.errors import DomainError
from domain.signature.fields import SignatureSpec
from domain.text import JsonObject
from infrastructure.called import Words
from infrastructure.graphql.limits import QueryIsInvalid
from infrastructure.graphql.rows import object_type
from infrastructure.graphql.scalars import SCALARS
from infrastructure.graphql.types import Inputs, Outputs
from projections.kernel import ReadStore
from projections.paging import DEFAULT_LIMIT, Cursor, Page, Row
from projections.program_catalog import ProgramRow, programs
from projections.program_types import ProgramTypes
from projections.signatures import SignatureRow, signatures
from projections.vocabulary import Vocabulary

T = TypeVar("T")
R = TypeVar("R", bound=Row)


class Run(Protocol):
    """An execution as it is shown, outputs included."""

    @property
    def program_id(self) -> UUID: ...
    @property
    def outputs(self) -> JsonValue: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """A program to run: its id, inputs, and how long to wait for the end of it.

    ``place`` tells the wishes of one request apart; ``id`` is the execution's, if the caller makes
    ids.
    """

    program: UUID
    inputs: JsonObject
    place: str
    id: UUID | None
    wait_s: float | None


class Caller(Protocol):
    """On whose behalf a request is answered: all that a schema can ask for goes through it."""

    @property
    def tenant(self) -> str: ...
    async def read(self, query: Callable[[ReadStore], T]) -> T:
        """Run *query* in a thread, in the caller's name."""
        ...

    def execution(self, id: UUID) -> Run:
        """One execution. Blocks.

        Raises:
            AggregateNotFound: The tenant has none.
        """
        ...

    async def execute(self, wish: Wish) -> Run:
        """Run a program as the route of REST does, and wait for its end.

        Raises:
            DomainError: It was refused.
        """
        ...

    def told(self, error: DomainError | None) -> Mapping[str, object]:
        """The problem that *error* is; without one, a defect of ours."""
        ...


class Rows(Protocol[R]):
    """A list of a read model."""

    def __call__(
        self, store: ReadStore, *, tenant: str, limit: int, after: Cursor | None
    ) -> Page[R]: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What the resolvers of one request share; mutations read no *store*."""

    caller: Caller
    store: ReadStore | None = None


_RESERVED: Final = ("Program", "Signature", "Execution", "Query", "Mutation", "Subscription")
_PARTS: Final = ("Inputs", "Outputs", "Execution")
_BY_ID: Final = {"id": GraphQLArgument(GraphQLNonNull(GraphQLID))}
_FIRST: Final = GraphQLDefaultInput(DEFAULT_LIMIT)
_SHOWN: Final = 60
_SIGNATURE_PARTS: Final = ("SignatureInputs", "SignatureOutputs")


class Schemas:
    """Makes schemas. *execution* is the model that executions are shown by."""

    def __init__(self, execution: type[BaseModel]) -> None:
        self._execution = object_type("Execution", execution)
        self._fixed = {
            "listSignatures": _listed("Signature", SignatureRow, signatures),
            "listPrograms": _listed("Program", ProgramRow, programs),
            "getExecution": GraphQLField(
                self._execution,
                _BY_ID,
                _get_execution,
                description="One execution, as new as the log itself.",
            ),
        }

    def of(self, known: Vocabulary) -> GraphQLSchema:
        """The schema of a tenant with the signatures and programs that are *known*."""
        queries, mutations = dict(self._fixed), dict[str, GraphQLField]()
        taken = {each.casefold() for each in _RESERVED}
        for program, word in _called(known, taken):
            given = self._execution_of(program, word)
            mutations[f"execute{word}"] = _execute(program, word, given)
            queries[f"get{word}Execution"] = _get(program, given)
        types: list[GraphQLNamedType] = [*SCALARS, *_signature_types(known, taken)]
        return GraphQLSchema(
            GraphQLObjectType("Query", queries),
            GraphQLObjectType("Mutation", mutations) if mutations else None,
            types=types,
        )

    def _execution_of(self, program: ProgramTypes, word: str) -> GraphQLObjectType:
        spec = _spec(program.signature)
        outputs = _output(f"{word}Outputs", spec, f"What {program.name} gives.")
        fields = {
            "outputs": GraphQLField(outputs, description="Null until it is completed."),
            "execution": GraphQLField(GraphQLNonNull(self._execution), resolve=_itself),
        }
        said = f"A run of {program.name}."
        return GraphQLObjectType(f"{word}Execution", fields, description=said)


def _called(known: Vocabulary, taken: set[str]) -> Iterator[tuple[ProgramTypes, str]]:
    """Each program with the word that its types are called by; what those are is *taken* then."""
    words = Words("Program", lambda word: [word, *(word + part for part in _PARTS)], taken)
    return ((program, words.word(program.name)) for program in known.programs)


def _signature_types(known: Vocabulary, taken: set[str]) -> Iterator[GraphQLNamedType]:
    words = Words("Signature", lambda word: (word + part for part in _SIGNATURE_PARTS), taken)
    for each in known.signatures:
        word, spec = words.word(each.name), _spec(each.spec)
        yield _input(f"{word}SignatureInputs", spec, f"What the signature {each.name} takes.")
        yield _output(f"{word}SignatureOutputs", spec, f"What the signature {each.name} gives.")


@lru_cache(maxsize=4096)
def _spec(text: str) -> SignatureSpec:
    return SignatureSpec.model_validate_json(text)


def _input(name: str, spec: SignatureSpec, said: str) -> GraphQLInputObjectType:
    return Inputs().object(name, spec.inputs, said)


def _output(name: str, spec: SignatureSpec, said: str) -> GraphQLObjectType:
    return Outputs().object(name, spec.outputs, said)


def _execute(program: ProgramTypes, word: str, given: GraphQLObjectType) -> GraphQLField:
    async def execute(
        _root: None,
        info: GraphQLResolveInfo[Asking],
        inputs: JsonObject,
        id: str | None = None,
        wait: float | None = None,
    ) -> Run:
        asking = info.context
        place = str(info.path.key)
        run_id = None if id is None else _id(id)
        return await asking.caller.execute(Wish(program.program_id, inputs, place, run_id, wait))

    taken = _input(f"{word}Inputs", _spec(program.signature), f"What {program.name} takes.")
    arguments = {
        "inputs": GraphQLArgument(GraphQLNonNull(taken)),
        "id": GraphQLArgument(GraphQLID, description="The execution's, if you make ids yourself."),
        "wait": GraphQLArgument(GraphQLFloat, description="Seconds to wait for the end; else 30."),
    }
    said = program.description or f"Run {program.name} and wait for its end."
    return GraphQLField(GraphQLNonNull(given), arguments, execute, description=said)


def _get(program: ProgramTypes, given: GraphQLObjectType) -> GraphQLField:
    def get(_root: None, info: GraphQLResolveInfo[Asking], id: str) -> Run | None:
        run = _get_execution(_root, info, id)
        return run if run.program_id == program.program_id else None

    said = f"A run of {program.name}; null if it is one of another program."
    return GraphQLField(given, _BY_ID, get, description=said)


def _itself(run: Run, _info: GraphQLResolveInfo[Asking]) -> Run:
    return run


def _get_execution(_root: None, info: GraphQLResolveInfo[Asking], id: str) -> Run:
    asking = info.context
    return asking.caller.execution(_id(id))


def _listed(name: str, row: type[R], rows: Rows[R]) -> GraphQLField:
    """The list of all that *rows* finds, page by page."""

    def listed(
        _root: None, info: GraphQLResolveInfo[Asking], first: int, after: str | None = None
    ) -> dict[str, object]:
        asking = info.context
        assert asking.store is not None, "Lists are read by queries alone."
        cursor = None if after is None else (after,)
        page = rows(asking.store, tenant=asking.caller.tenant, limit=first, after=cursor)
        return {"items": page.rows, "next": page.next and str(*page.next)}

    page = {
        "items": GraphQLField(_many(object_type(name, row))),
        "next": GraphQLField(GraphQLString, description="The `after` of the next page, if any."),
    }
    arguments = {
        "first": GraphQLArgument(GraphQLNonNull(GraphQLInt), default=_FIRST),
        "after": GraphQLArgument(GraphQLString, description="The `next` of the page before."),
    }
    shown = GraphQLNonNull(GraphQLObjectType(f"{name}Page", page))
    return GraphQLField(shown, arguments, listed, description="The newest first.")


def _many(
    type: GraphQLObjectType,
) -> GraphQLNonNull[GraphQLList[GraphQLNonNull[GraphQLObjectType]]]:
    return GraphQLNonNull(GraphQLList(GraphQLNonNull(type)))


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise QueryIsInvalid(f"{text[:_SHOWN]!a} is no id. An id is a UUID.") from None
