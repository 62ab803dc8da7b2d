"""What hostile GraphQL costs: nothing is read and nothing is run for it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import anyio
import pytest
from graphql import build_client_schema, get_introspection_query

from domain.errors import DomainError
from infrastructure.api.execution_views import ExecutionDetail
from infrastructure.graphql.schema import Wish
from infrastructure.graphql.server import GraphQl


class Rows:
    """A read store that counts what is asked of it; there are no signatures and no programs."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def rows(self, sql: str, params: object, *, of: object = None) -> list[dict[str, object]]:
        del params, of
        self.asked.append(sql)
        is_state = "sum(version)" in sql
        return [{"signatures": 0, "programs": 0}] if is_state else []


class Caller:
    """Somebody who asks; what they may ask for is counted."""

    tenant = "acme"

    def __init__(self) -> None:
        self.store = Rows()

    async def read(self, query: Callable[[Any], Any]) -> Any:
        return query(self.store)

    def execution(self, id: UUID) -> Any:
        raise AssertionError("Nothing is read.")

    async def execute(self, wish: Wish) -> Any:
        raise AssertionError("Nothing is run.")

    def told(self, error: DomainError | None) -> Mapping[str, object]:
        assert error is not None
        return {"code": error.code, "detail": str(error)}


def spread(times: int) -> str:
    """Each fragment holds the next one twice: 2 ** *times* fields."""
    bodies = [f"fragment f{at} on Query {{ ...f{at + 1} ...f{at + 1} }}" for at in range(times)]
    last = f"fragment f{times} on Query {{ listPrograms {{ next }} }}"
    return "{ ...f0 } " + " ".join(bodies) + " " + last


NESTED = "query { listPrograms { items { " + "metrics { " * 12 + "x" + " }" * 12 + " } } }"
CYCLE = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"
HOSTILE = {
    "aliases of the root": "{" + "".join(f"a{n}: listPrograms {{ next }} " for n in range(1000)),
    "aliases of a field": "{ listPrograms { items { "
    + "".join(f"a{n}: name " for n in range(400))
    + "} } ",
    "the same field again and again": "{ listPrograms(first: 1) { items { "
    + "name " * 1000
    + "} } ",
    "500 rows of 500 fields": "{ listPrograms(first: 500) { items { "
    + "".join(f"a{n}: name " for n in range(400))
    + "} } ",
    "rows by a variable": "query($n: Int!) { listPrograms(first: $n) { items { name stage } } ",
    "depth": NESTED[:-1],
    "fragments of fragments": spread(30)[:-1],
    "mutations": "mutation {" + "".join(f"a{n}: executeX {{ x }} " for n in range(11)),
    "introspection over and over": "{ __schema { "
    + "".join(f"a{n}: types {{ name }} " for n in range(200))
    + "} ",
    "an alias of an introspection": "{ a: __schema { types { name } } ",
    "an introspection of the fields of fields": "{ ...a } fragment a on Query { __schema { types { "
    "fields { type { ofType { ...b } } } } } } fragment b on __Type { fields { name } ",
    "tokens": "{" + "a " * 5000,
    "characters": '{ a(x: "' + "x" * 70_000 + '") ',
    "brackets": "{ a(x: " + "[" * 1900 + "]" * 1900 + ") ",
    "levels beyond the stack": "{ a " * 1900 + "}" * 1899,
}


def answered(query: str, **variables: Any) -> tuple[Any, Caller]:
    caller, graphql = Caller(), GraphQl(ExecutionDetail)
    made: list[Any] = []

    async def ask() -> None:
        made.append(await graphql.answer(query, variables, None, caller))

    anyio.run(ask)
    return made[0], caller


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_query_is_refused_before_anything_is_read(query: str) -> None:
    answer, caller = answered(query + "}", n=10**9)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] in ("graphql.too_large", "graphql.invalid")
    assert "data" not in answer
    assert caller.store.asked == []


@pytest.mark.parametrize(
    "query",
    [
        CYCLE,
        "",
        "{",
        "query A { __typename } query B { __typename }",
        "subscription { a }",
        "{ nothing }",
        "{ listPrograms { items { name { x } } } }",
        "type Query { a: String }",
        '{ listPrograms(first: "2") { next } }',
        "query($n: Int!) { listPrograms(first: $n) { next } }",
        "fragment a on Query { listPrograms { next } }",
    ],
)
def test_what_is_no_query_of_this_schema_is_told_so(query: str) -> None:
    answer, _ = answered(query)
    assert {each["extensions"]["code"] for each in answer["errors"]} == {"graphql.invalid"}


def test_the_introspection_that_tools_make_is_answered() -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    answer, _ = answered(query)
    assert "errors" not in answer
    assert build_client_schema(answer["data"]).query_type is not None


def test_many_errors_are_cut_off() -> None:
    answer, _ = answered("{ " + "".join(f"a{n}: x{n} " for n in range(40)) + "}")
    assert len(answer["errors"]) <= 21


def test_schemas_that_nobody_asked_for_longest_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.graphql.server._KEPT", 2)
    graphql, store = GraphQl(ExecutionDetail), Rows()
    made = {tenant: graphql.schema(store, tenant) for tenant in ("a", "b", "c")}  # type: ignore[arg-type]  # a double
    assert graphql.schema(store, "c") is made["c"]  # type: ignore[arg-type]  # a double
    assert graphql.schema(store, "a") is not made["a"]  # type: ignore[arg-type]  # a double


def test_an_introspection_is_answered_and_its_schema_kept() -> None:
    from graphql import get_introspection_query

    graphql, caller = GraphQl(ExecutionDetail), Caller()
    first = graphql.schema(caller.store, "acme")  # type: ignore[arg-type]  # a double
    assert graphql.schema(caller.store, "acme") is first  # type: ignore[arg-type]  # a double
    assert len(caller.store.asked) == 4
    answer, _ = answered(get_introspection_query())
    assert answer["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}
