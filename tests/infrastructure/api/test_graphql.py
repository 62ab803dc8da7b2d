"""GraphQL over HTTP: types of each tenant's own, and programs that run with them."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from graphql import build_client_schema, get_introspection_query, print_type

from domain.access.values import Role
from tests.support.api import SYNTAX, ApiWorld, a_program
from tests.support.keyed import asking, key_of

TYPES = get_introspection_query()
RICH = (
    "message: str, share: probability, tags: list[str], age: integer(ge=0, le=120), count: int, "
    "limit: int = 3, tone: Optional[str], notes: any "
    "-> queue: Literal['bug', 'how to', 'how-to', 'true'], parts: dict[str, list[int]], "
    "where: object{street: string, zip?: string}"
)


def ask(
    api: TestClient, query: str, headers: dict[str, str] | None = None, **variables: object
) -> Any:
    body = {"query": query, "variables": variables}
    reply = api.post("/graphql", json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def told(api: TestClient, name: str) -> str:
    """The type *name* as the tenant's schema writes it."""
    found = build_client_schema(ask(api, TYPES)["data"]).type_map
    return print_type(found[name]) if name in found else ""


def codes(answer: Any) -> list[str]:
    return [each["extensions"]["code"] for each in answer["errors"]]


def define(api: TestClient, name: str, syntax: str = SYNTAX) -> None:
    reply = api.post("/v1/signatures", json={"name": name, "syntax": syntax})
    assert reply.status_code == 201, reply.text


def make(api: TestClient, name: str, syntax: str = SYNTAX) -> str:
    modules = [{"kind": "predict", "signature_syntax": syntax}]
    reply = api.post("/v1/programs", json={"name": name, "modules": modules})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


@pytest.fixture
def other(world: ApiWorld) -> Iterator[TestClient]:
    """The API as another tenant sees it."""
    with world.client(f"t-{uuid4().hex}") as client:
        yield client


@pytest.mark.feature("SIG-28")
def test_sig_28_a_new_signature_has_its_types_within_two_seconds(api: TestClient) -> None:
    find = '{ __type(name: "RouteSignatureInputs") { inputFields { name } } }'
    assert ask(api, find)["data"] == {"__type": None}
    define(api, "route")
    began_s = time.monotonic()
    assert ask(api, find)["data"] == {"__type": {"inputFields": [{"name": "message"}]}}
    assert time.monotonic() - began_s < 2
    taken, given = told(api, "RouteSignatureInputs"), told(api, "RouteSignatureOutputs")
    assert "input RouteSignatureInputs {\n  message: String!\n}" in taken
    assert "queue: RouteSignatureOutputs_queue!" in given
    assert told(api, "RouteSignatureOutputs_queue").split() == [
        *("enum", "RouteSignatureOutputs_queue", "{"),
        *("bug", "billing", "howto", "feature", "}"),
    ]


@pytest.mark.feature("SIG-28")
def test_sig_28_a_program_runs_with_its_own_types(api: TestClient) -> None:
    program = make(api, "triage")
    run = """mutation Run($inputs: TriageInputs!) {
        executeTriage(inputs: $inputs) {
            outputs { queue }
            execution { executionId programId status inputs outputs tokenUsage { calls } }
        }
    }"""
    answer = ask(api, run, inputs={"message": "It crashes."})
    assert "errors" not in answer
    ran = answer["data"]["executeTriage"]
    execution = ran["execution"]
    assert ran["outputs"] == execution["outputs"] == {"queue": "bug"}
    assert (execution["programId"], execution["status"]) == (program, "completed")
    assert (execution["inputs"], execution["tokenUsage"]) == (
        {"message": "It crashes."},
        {"calls": 2},
    )
    find = "query($id: ID!) { getTriageExecution(id: $id) { outputs { queue } } }"
    found = ask(api, find, id=execution["executionId"])
    assert found["data"]["getTriageExecution"] == {"outputs": {"queue": "bug"}}
    rest = api.get(f"/v1/executions/{execution['executionId']}").json()
    assert rest["outputs"] == {"queue": "bug"}


@pytest.mark.feature("SIG-28")
def test_sig_28_the_schema_is_made_anew_only_if_types_changed(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infrastructure.graphql.schema import Schemas

    made: list[object] = []
    make_schema = Schemas.of

    def counted(self: Schemas, known: Any) -> Any:
        made.append(known)
        return make_schema(self, known)

    monkeypatch.setattr(Schemas, "of", counted)
    program = make(api, "triage")
    for _ in range(3):
        ask(api, "{ listPrograms { next } }")
    api.post(f"/v1/programs/{program}/testing", json={})
    ask(api, "{ listPrograms { next } }")
    assert len(made) == 1
    define(api, "route")
    ask(api, "{ listPrograms { next } }")
    assert len(made) == 2


@pytest.mark.feature("SIG-28")
def test_sig_28_each_tenant_has_its_own_schema(api: TestClient, other: TestClient) -> None:
    define(api, "route")
    make(api, "triage")
    make(other, "triage", "question -> answer")
    assert "message: String!" in told(api, "TriageInputs")
    assert "question: String!" in told(other, "TriageInputs")
    assert told(other, "RouteSignatureInputs") == ""
    run = 'mutation { executeTriage(inputs: {message: "Hi."}) { execution { executionId } } }'
    ran = ask(api, run)["data"]["executeTriage"]["execution"]["executionId"]
    assert codes(ask(other, run)) == ["graphql.invalid", "graphql.invalid"]
    find = f'{{ getExecution(id: "{ran}") {{ status }} }}'
    assert ask(api, find)["data"]["getExecution"] == {"status": "completed"}
    assert codes(ask(other, find)) == ["not_found"]
    listed = "{ listPrograms { items { name } } listSignatures { items { name } } }"
    assert ask(other, listed)["data"] == {
        "listPrograms": {"items": [{"name": "triage"}]},
        "listSignatures": {"items": []},
    }


def test_types_are_those_of_the_signature(api: TestClient) -> None:
    make(api, "rich", RICH)
    assert told(api, "RichInputs").splitlines()[1:] == [
        "input RichInputs {",
        "  message: String!",
        "  share: Probability!",
        "  tags: [String!]!",
        "  age: Int!",
        "  count: Integer!",
        "",
        '  """3 if left out."""',
        "  limit: Integer",
        "  tone: String",
        "  notes: JSON",
        "}",
    ]
    given = told(api, "RichOutputs")
    assert "parts: JSON!" in given
    assert "where: RichOutputs_where!" in given
    assert "zip: String\n" in told(api, "RichOutputs_where")
    queue = told(api, "RichOutputs_queue")
    assert "\n  bug\n" in queue
    assert '"""how to"""\n  how_to\n' in queue
    assert '"""how-to"""\n  value_how_to_' in queue
    assert '"""true"""\n  value_true_' in queue


def test_a_word_that_graphql_does_not_know_is_told_by_its_name(
    api: TestClient, world: ApiWorld
) -> None:
    make(api, "odd", "tone: Literal['a b', 'c'], big: int -> answer: Literal['x y']")
    world.runner.outputs = {"answer": "x y"}
    run = """mutation { executeOdd(inputs: {tone: a_b, big: 4294967296000000000000}) {
        outputs { answer } execution { inputs outputs } } }"""
    try:
        ran = ask(api, run)["data"]["executeOdd"]
    finally:
        world.runner.outputs = {"queue": "bug"}
    assert ran["outputs"] == {"answer": "x_y"}
    assert ran["execution"]["outputs"] == {"answer": "x y"}
    assert ran["execution"]["inputs"] == {"tone": "a b", "big": 4294967296000000000000}


ODD = (
    *("blog-summarizer", "Blog Summarizer", "50% off?", "{program}", "分類", "…", "__schema"),
    *("Query", "query", "Mutation", "JSON", "Program", "Execution", "triage outputs", "triage"),
    *("type", "true", "a__b", "\N{RIGHT-TO-LEFT OVERRIDE}x", '"""', "Blog_Summarizer"),
)


def test_whatever_its_name_a_program_runs_and_no_two_share_a_type(api: TestClient) -> None:
    for name in ODD:
        make(api, name)
        define(api, name)
    schema = build_client_schema(ask(api, TYPES)["data"])
    assert schema.mutation_type is not None
    fields = schema.mutation_type.fields
    assert len(fields) == len(ODD)
    names = [name.casefold() for name in schema.type_map]
    assert len(set(names)) == len(names)
    runs = "".join(
        f'r{at}: {field}(inputs: {{message: "Hi."}}) {{ outputs {{ queue }} }} '
        for at, field in enumerate(list(fields)[:10])
    )
    ran = ask(api, f"mutation {{ {runs} }}")
    assert list(ran["data"].values()) == [{"outputs": {"queue": "bug"}}] * 10


def test_somebody_who_foresees_a_word_gets_another(api: TestClient) -> None:
    from infrastructure.called import digest

    for name in ("a b", f"ProgramAB{digest('a-b')}", "a-b"):
        make(api, name)
    schema = build_client_schema(ask(api, TYPES)["data"])
    assert schema.mutation_type is not None
    assert len(schema.mutation_type.fields) == 3


def test_objects_within_objects_keep_their_types_apart(api: TestClient) -> None:
    syntax = "a: object{b: object{c: string}}, a_b: object{c: object{d: integer}} -> answer: string"
    make(api, "deep", syntax)
    run = """mutation { executeDeep(inputs: {a: {b: {c: "x"}}, a_b: {c: {d: 1}}}, wait: 0) {
        execution { inputs } } }"""
    ran = ask(api, run)["data"]["executeDeep"]["execution"]
    assert ran["inputs"] == {"a": {"b": {"c": "x"}}, "a_b": {"c": {"d": 1}}}


def test_lists_come_in_pages(api: TestClient) -> None:
    for name in ("a", "b", "c"):
        make(api, name)
    page = "query($after: String) { listPrograms(first: 2, after: $after) { items { name } next } }"
    first = ask(api, page)["data"]["listPrograms"]
    assert [each["name"] for each in first["items"]] == ["c", "b"]
    second = ask(api, page, after=first["next"])["data"]["listPrograms"]
    assert (second["items"], second["next"]) == ([{"name": "a"}], None)
    assert codes(ask(api, page, after="x")) == ["page.cursor_invalid"]
    assert codes(ask(api, "{ listPrograms(first: 201) { next } }")) == ["page.limit_invalid"]


def test_a_program_is_told_with_all_that_rest_tells(api: TestClient) -> None:
    a_program(api)
    fields = "name stage graph metrics { trainingScore } createdAt latestVersion archivedAt"
    (item,) = ask(api, f"{{ listPrograms {{ items {{ {fields} }} }} }}")["data"]["listPrograms"][
        "items"
    ]
    (row,) = api.get("/v1/programs").json()["items"]
    assert (item["name"], item["stage"], item["graph"]) == (
        row["name"],
        row["stage"],
        row["graph"],
    )
    assert item["metrics"] == {"trainingScore": None}
    assert item["createdAt"].replace("+00:00", "Z") == row["created_at"]
    assert (item["latestVersion"], item["archivedAt"]) == (1, None)


def test_what_is_refused_is_a_problem_with_its_place(api: TestClient) -> None:
    make(api, "triage", "message: string(min_length=3) -> queue: string")
    run = """mutation { good: executeTriage(inputs: {message: "Hello"}) { outputs { queue } }
        bad: executeTriage(inputs: {message: "x"}) { outputs { queue } } }"""
    answer = ask(api, run)
    (error,) = answer["errors"]
    assert error["path"] == ["bad"]
    problem = error["extensions"]
    assert (problem["code"], problem["status"]) == ("values.invalid", 422)
    assert problem["faults"][0]["pointer"] == "/inputs/message"
    assert problem["correlation_id"]
    assert error["message"] == problem["detail"]


def test_a_repeated_request_runs_nothing_again(api: TestClient, world: ApiWorld) -> None:
    make(api, "triage")
    run = """mutation {
        a: executeTriage(inputs: {message: "x"}) { execution { executionId } }
        b: executeTriage(inputs: {message: "y"}) { execution { executionId } } }"""
    first = ask(api, run, {"Idempotency-Key": "k-1"})
    events = len(world.log.recorded)
    assert ask(api, run, {"Idempotency-Key": "k-1"}) == first
    assert len(world.log.recorded) == events
    ids = {each["execution"]["executionId"] for each in first["data"].values()}
    assert len(ids) == 2
    own = uuid4()
    one = f"""mutation {{ executeTriage(inputs: {{message: "x"}}, id: "{own}") {{
        execution {{ executionId }} }} }}"""
    for _ in range(2):
        made = ask(api, one)["data"]["executeTriage"]["execution"]
        assert made == {"executionId": str(own)}


def test_a_run_that_goes_on_is_told_as_it_stands(api: TestClient, world: ApiWorld) -> None:
    make(api, "triage")
    world.has_worker = False
    run = """mutation { executeTriage(inputs: {message: "x"}, wait: 0) {
        outputs { queue } execution { status } } }"""
    assert ask(api, run)["data"]["executeTriage"] == {
        "outputs": None,
        "execution": {"status": "pending"},
    }
    world.work()
    too_long = run.replace("wait: 0", "wait: 301")
    assert codes(ask(api, too_long)) == ["request.invalid"]


def test_runs_of_one_request_wait_together_and_are_the_same_when_asked_for_again(
    api: TestClient, world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(api, "triage")
    world.has_worker = False
    run = """mutation {
        a: executeTriage(inputs: {message: "x"}) { execution { executionId status } }
        b: executeTriage(inputs: {message: "y"}) { execution { executionId status } } }"""
    with monkeypatch.context() as hurried:
        hurried.setattr("infrastructure.api.graphql.LONGEST_WAIT_S", 0.05)
        first = ask(api, run, {"Idempotency-Key": "k-2"})["data"]
    assert [each["execution"]["status"] for each in first.values()] == ["pending", "pending"]
    world.work()
    again = ask(api, run, {"Idempotency-Key": "k-2"})["data"]
    for name, each in again.items():
        assert each["execution"] == first[name]["execution"] | {"status": "completed"}


def test_outputs_of_another_signature_are_told_as_json(api: TestClient, world: ApiWorld) -> None:
    make(api, "triage", "message -> queue: Literal['sales']")
    world.runner.outputs = {"queue": "bug"}
    run = """mutation { executeTriage(inputs: {message: "x"}) {
        outputs { queue } execution { outputs } } }"""
    answer = ask(api, run)
    assert codes(answer) == ["graphql.outputs_differ"]
    ran = answer["data"]["executeTriage"]
    assert ran == {"outputs": None, "execution": {"outputs": {"queue": "bug"}}}


def test_an_execution_of_another_program_is_none_of_this_one(api: TestClient) -> None:
    for name in ("triage", "other"):
        make(api, name)
    run = 'mutation { executeTriage(inputs: {message: "x"}) { execution { executionId } } }'
    ran = ask(api, run)["data"]["executeTriage"]["execution"]["executionId"]
    find = f'{{ getOtherExecution(id: "{ran}") {{ outputs {{ queue }} }} }}'
    assert ask(api, find)["data"] == {"getOtherExecution": None}
    assert codes(ask(api, '{ getExecution(id: "x") { status } }')) == ["graphql.invalid"]


def test_a_defect_is_masked(api: TestClient, world: ApiWorld, caplog: Any) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("secret")

    with world.client("t-broken", history=broken) as client:
        answer = ask(client, f'{{ getExecution(id: "{uuid4()}") {{ status }} }}')
    assert codes(answer) == ["internal"]
    assert "secret" not in str(answer)
    assert "secret" in caplog.text


def test_a_refused_run_is_in_the_audit(api: TestClient, world: ApiWorld) -> None:
    make(api, "triage")
    before = len(world.attempts.noted)
    ask(api, 'mutation { executeTriage(inputs: {message: "\\u0000"}) { outputs { queue } } }')
    (noted,) = world.attempts.noted[before:]
    assert (noted.operation, noted.command) == ("POST /graphql", "RequestExecution")
    assert noted.code == "request.invalid"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request.invalid"),
        ({"query": 1}, "request.invalid"),
        ({"query": "{a}", "variables": []}, "request.invalid"),
        ({"query": "{a}", "more": 1}, "request.invalid"),
        ([{"query": "{a}"}], "request.invalid"),
    ],
)
def test_a_body_that_is_no_request_is_a_problem(api: TestClient, body: Any, code: str) -> None:
    reply = api.post("/graphql", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert api.get("/graphql").status_code == 405


@pytest.mark.feature("SIG-28")
def test_sig_28_a_mutation_needs_the_permission_of_the_command_it_sends(world: ApiWorld) -> None:
    tenant = f"t-{uuid4().hex}"
    engineer, viewer, user = (
        key_of(world, role, tenant=tenant) for role in (Role.ML_ENGINEER, Role.VIEWER, Role.ML_USER)
    )
    run = 'mutation { executeTriage(inputs: {message: "Hi."}) { outputs { queue } } }'
    with asking(world, engineer) as api:
        make(api, "triage")
    with asking(world, viewer) as api:
        answer = ask(api, run)
        assert codes(answer) == ["permission.missing"]
        assert answer["errors"][0]["extensions"]["status"] == 403
        assert ask(api, "{ listPrograms { items { name } } }")["data"]
    with asking(world, user) as api:
        assert ask(api, run)["data"]["executeTriage"]["outputs"] == {"queue": "bug"}
    with asking(world, None) as api:
        assert api.post("/graphql", json={"query": "{ __typename }"}).status_code == 401
