"""Answers GraphQL requests, each by the schema of its tenant."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from threading import Lock
from typing import ClassVar, Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    execute,  # pyright: ignore[reportUnknownVariableType]  # declared in part
    get_operation_ast,
    parse,
    recommended_rules,
    specified_rules,
    validate,
)
from pydantic import BaseModel, JsonValue

from domain.errors import DomainError, InvalidError
from infrastructure.graphql.limits import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_TOKENS,
    QueryIsInvalid,
    QueryIsTooLarge,
    check,
)
from infrastructure.graphql.schema import Asking, Caller, Schemas
from projections.kernel import ReadStore
from projections.vocabulary import VocabularyState, vocabulary, vocabulary_state

_KEPT: Final = 5000
"""Signatures and programs of all schemas that are kept: about 50 MB."""
_MOST_ERRORS: Final = 20
_SHOWN: Final = 500
_RULES: Final = (*specified_rules, *recommended_rules)

_log = logging.getLogger("stratal.graphql")


class OutputsDiffer(InvalidError):
    """What a run gave is not of the type that its program has now."""

    code: ClassVar[str] = "graphql.outputs_differ"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"An earlier version of the program gave this: {why}"
            " Ask for `execution { outputs }`, which is JSON."
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """A schema, the state of its tenant's things that it was made at, and a digest of them."""

    state: VocabularyState
    digest: bytes
    things: int
    schema: GraphQLSchema


@dataclass(frozen=True, slots=True)
class _Mutation:
    """A mutation that may be carried out."""

    schema: GraphQLSchema
    document: DocumentNode


class GraphQl:
    """Answers what HTTP brings. Executions are shown as the model *execution* shows them."""

    def __init__(self, execution: type[BaseModel]) -> None:
        self._schemas = Schemas(execution)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    async def answer(
        self,
        query: str,
        variables: Mapping[str, JsonValue],
        operation: str | None,
        caller: Caller,
    ) -> dict[str, object]:
        """The response to *query*: data, and the problems there were."""
        ask = partial(self._asked, query, variables, operation, caller)
        try:
            found = await caller.read(ask)
        except DomainError as error:
            return {"errors": [{"message": str(error), "extensions": caller.told(error)}]}
        if isinstance(found, _Mutation):
            found = await _executed(found, Asking(caller), variables, operation)
        return _response(found, caller)

    def schema(self, store: ReadStore, tenant: str) -> GraphQLSchema:
        """The schema of *tenant*, which stays the same for as long as its types do."""
        state = vocabulary_state(store, tenant=tenant)
        kept = self._known(tenant)
        if kept is None or kept.state != state:
            known = vocabulary(store, tenant=tenant)
            digest = hashlib.sha256(known.model_dump_json().encode()).digest()
            is_same = kept is not None and kept.digest == digest
            schema = kept.schema if kept and is_same else self._schemas.of(known)
            things = len(known.programs) + len(known.signatures)
            kept = _Kept(state, digest, things, schema)
            self._keep(tenant, kept)
        return kept.schema

    def _known(self, tenant: str) -> _Kept | None:
        with self._lock:
            if tenant in self._kept:
                self._kept.move_to_end(tenant)
            return self._kept.get(tenant)

    def _keep(self, tenant: str, kept: _Kept) -> None:
        with self._lock:
            self._kept[tenant] = kept
            self._kept.move_to_end(tenant)
            while len(self._kept) > 1 and self._things() > _KEPT:
                self._kept.popitem(last=False)

    def _things(self) -> int:
        return sum(each.things + 1 for each in self._kept.values())

    def _asked(
        self,
        query: str,
        variables: Mapping[str, JsonValue],
        operation: str | None,
        caller: Caller,
        store: ReadStore,
    ) -> ExecutionResult | _Mutation:
        """Answer *query*, unless it is a mutation."""
        document = _document(query, variables)
        schema = self.schema(store, caller.tenant)
        if errors := _faults(schema, document):
            return ExecutionResult(None, errors)
        chosen = get_operation_ast(document, operation)
        if chosen is None:
            raise QueryIsInvalid("Name one of the operations of the document.")
        if chosen.operation is OperationType.MUTATION:
            return _Mutation(schema, document)
        asking = Asking(caller, store)
        result = execute(schema, document, None, asking, dict(variables), operation)
        assert isinstance(result, ExecutionResult), "Queries wait for nothing."
        return result


def _document(query: str, variables: Mapping[str, JsonValue]) -> DocumentNode:
    """*query* as it is written, if it may be answered at all.

    Raises:
        QueryIsInvalid: It is not GraphQL.
        QueryIsTooLarge: It asks for too much.
    """
    try:
        document = parse(query, max_tokens=MAX_TOKENS, max_source_length=MAX_CHARACTERS)
        check(document, variables)
    except GraphQLError as error:
        raise QueryIsInvalid(_sentence(error)) from None
    except RecursionError:
        raise QueryIsTooLarge("levels", MAX_DEPTH) from None
    return document


def _faults(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    try:
        # To suggest what was meant, every name would be compared with every name there is.
        return validate(schema, document, _RULES, max_errors=_MOST_ERRORS, hide_suggestions=True)
    except RecursionError:
        raise QueryIsTooLarge("levels", MAX_DEPTH) from None


async def _executed(
    mutation: _Mutation,
    asking: Asking,
    variables: Mapping[str, JsonValue],
    operation: str | None,
) -> ExecutionResult:
    values = dict(variables)
    result = execute(mutation.schema, mutation.document, None, asking, values, operation)
    return await result if isawaitable(result) else result


def _response(result: ExecutionResult, caller: Caller) -> dict[str, object]:
    errors = [_told(error, caller) for error in result.errors or ()]
    told: dict[str, object] = {"errors": errors} if errors else {}
    return told if result.data is None and errors else told | {"data": result.data}


def _told(error: GraphQLError, caller: Caller) -> dict[str, object]:
    refusal = _refusal(error)
    problem = caller.told(refusal)
    said: dict[str, object] = {"message": problem["detail"], "extensions": problem}
    if error.locations:
        said["locations"] = [each.formatted for each in error.locations]
    return said if error.path is None else said | {"path": error.path}


def _refusal(error: GraphQLError) -> DomainError | None:
    """What *error* tells, in our words; ``None`` if it is a defect."""
    cause = error.original_error
    if isinstance(cause, DomainError):
        return cause
    if cause is not None and not isinstance(cause, GraphQLError):
        _log.error("A GraphQL request failed.", exc_info=cause)
        return None
    return (
        QueryIsInvalid(_sentence(error)) if error.path is None else OutputsDiffer(_sentence(error))
    )


def _sentence(error: GraphQLError) -> str:
    said = error.message[:_SHOWN]
    return said if said.endswith((".", "?", "…")) else f"{said}."
