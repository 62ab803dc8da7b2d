"""The story of the demo over HTTP against real processes: written, judged, bettered, deployed."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pytest

from tests.support.otlp import Collector, Seen
from tests.support.service import Http, Service, until
from tests.support.triage import HELDOUT, SYNTAX, TRAIN, Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

STRING: Final = {"kind": "primitive", "name": "string"}
MESSAGE: Final = "It crashes when I click save"
TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass(frozen=True)
class Story:
    """What each station of the way replied."""

    triage: Triage
    signature: Any
    module_id: str
    first: Any
    judged_1: Any
    labeled: Any
    searched: Any
    judged_2: Any
    second: Any
    replay: Any
    model_calls_of_the_replay: int
    model_calls: int

    @property
    def http(self) -> Http:
        return self.triage.http


@pytest.fixture(scope="session")
def story(service: Service) -> Story:
    """Told once, by a tenant of its own; each test looks at a part of it."""
    http, before = service.http(), service.lm.calls
    signature = http.post("/v1/signatures/compile", {"syntax": SYNTAX})
    defined = http.post("/v1/signatures", {"name": "routing", "syntax": SYNTAX})
    module = {"name": "router", "kind": "predict", "signature_id": defined["id"]}
    module_id = http.post("/v1/modules", module)["id"]
    triage = Triage(http)
    triage.made["program"] = http.post(
        "/v1/programs",
        {
            "name": "triage",
            "modules": [{"module_id": module_id}],
            "default_optimizer": "labeled_fewshot",
        },
    )["id"]
    triage.made["dataset"] = http.post("/v1/datasets", {"name": "mail", "purpose": "training"})[
        "id"
    ]
    _load(triage)
    first = triage.execute(MESSAGE)
    judged_1 = triage.evaluate(program_version=1)
    labeled = triage.optimize("labeled_fewshot")
    searched = triage.optimize(
        "bootstrap_random_search", config={"num_candidate_programs": 1}, program_version=1
    )
    judged_2 = triage.evaluate(program_version=2)
    http.post(
        f"{triage.program}/deploy",
        {
            "program_version": 2,
            "reason": f"It scores {judged_2['score']}, not {judged_1['score']}.",
            "evidence": [judged_1["evaluation_id"], judged_2["evaluation_id"]],
        },
    )
    second, asked = triage.execute(MESSAGE), service.lm.calls
    replay = http.post(f"/v1/executions/{second['execution_id']}/replay", wait=60)
    http.get("/v1/programs", at_least=service.head())  # every test may read all of it
    return Story(
        triage=triage,
        signature=signature,
        module_id=module_id,
        first=first,
        judged_1=judged_1,
        labeled=labeled,
        searched=searched,
        judged_2=judged_2,
        second=second,
        replay=replay,
        model_calls_of_the_replay=service.lm.calls - asked,
        model_calls=service.lm.calls - before,
    )


def _load(triage: Triage) -> None:
    """Rows in every form there is: JSON, lines of JSON, CSV."""
    lines = '{"message": "My invoice is late", "queue": "billing"}\n'
    table = "message,queue\nWhere do I find logs,howto\n"
    path = f"{triage.dataset}/rows"
    triage.http.post(path, TRAIN, split="train")
    triage.http.post(path, [HELDOUT[0], HELDOUT[3]], split="heldout")
    for text, kind in ((lines, "application/x-ndjson"), (table, "text/csv")):
        triage.http.post(path, text, headers={"Content-Type": kind}, split="heldout")


@pytest.mark.feature("SIG-04")
def test_sig_04_a_signature_compiles_to_schemas_without_a_trace(
    service: Service, story: Story
) -> None:
    head = service.head()
    again = story.http.post("/v1/signatures/compile", {"syntax": SYNTAX})
    assert again == story.signature
    assert service.head() == head
    assert list(again["input_schema"]["properties"]) == ["message"]
    assert again["output_schema"]["properties"]["queue"]["enum"] == [
        "bug",
        "billing",
        "howto",
        "feature",
    ]


@pytest.mark.feature("SIG-02")
def test_sig_02_fields_come_back_with_every_key_in_their_order(http: Http) -> None:
    inputs: list[dict[str, Any]] = [
        {"name": "message", "description": "As it came."},
        {"name": "tags", "type": {"kind": "list", "item": STRING}, "optional": True},
        {"name": "tone", "optional": True, "has_default": True, "default": "calm"},
    ]
    spec = {"inputs": inputs, "outputs": [{"name": "queue"}]}
    made = http.post("/v1/signatures", {"name": "routing", "spec": spec})
    kept = http.get(f"/v1/signatures/{made['id']}", at_least=made["position"])["spec"]
    whole = {"type": STRING, "description": None, "optional": False, "has_default": False}
    assert kept["inputs"] == [whole | {"default": None} | sent for sent in inputs]
    first, again = (http.post("/v1/signatures/compile", {"spec": each}) for each in (spec, kept))
    assert first["content_hash"] == again["content_hash"]


@pytest.mark.feature("DST-02")
def test_dst_02_rows_come_as_json_as_lines_and_as_csv(story: Story) -> None:
    dataset = story.http.get(story.triage.dataset)
    assert (dataset["train_rows"], dataset["heldout_rows"], dataset["loads"]) == (8, 4, 4)
    scored = [each["row"] for each in story.judged_1["row_scores"]]
    assert Counter(map(repr, scored)) == Counter(map(repr, HELDOUT))


@pytest.mark.feature("EXE-01")
def test_exe_01_an_execution_has_every_field_after_it_ran(story: Story) -> None:
    assert story.first["status"] == "completed"
    assert story.first["program_version"] == 1
    assert story.first["outputs"] == {"queue": "howto"}
    assert story.first["duration_ms"] > 0
    assert story.first["requested_at"] < story.first["started_at"] < story.first["finished_at"]
    detail = story.http.get(f"/v1/executions/{story.first['execution_id']}")
    assert detail == story.first | {"inputs": {"message": MESSAGE}, "caller": None}


@pytest.mark.feature("EXE-08")
@pytest.mark.feature("LMP-01")
def test_exe_08_tokens_are_those_the_model_counted(service: Service, story: Story) -> None:
    script = service.lm.script
    spend = story.first["token_usage"]
    assert (spend["calls"], spend["prompt_tokens"]) == (1, script.prompt_tokens)
    assert spend["total_tokens"] == script.prompt_tokens + script.completion_tokens
    assert spend["cached_tokens"] is None
    assert spend["cost_usd"] is None  # another server in the provider's name has no known price
    [call] = story.http.get(f"/v1/executions/{story.first['execution_id']}/trace")["items"]
    assert MESSAGE in str(call["request"])
    assert "howto" in str(call["response"])


@pytest.mark.feature("EXE-02")
def test_exe_02_executions_are_found_by_who_asked(service: Service, story: Story) -> None:
    bob = Triage(service.http(story.http.tenant, actor="bob"), made=story.triage.made)
    mine = bob.execute(MESSAGE)["execution_id"]
    path = f"/v1/executions/{mine}"
    position = bob.http.send("GET", path)  # the log itself: no read model is asked
    assert position.json()["actor"] == "bob"
    found = until(lambda: story.http.pages("/v1/executions", actor="bob"), bool, timeout_s=10)
    assert [each["execution_id"] for each in found] == [mine]


@pytest.mark.feature("OPT-02")
@pytest.mark.feature("OPT-05")
def test_opt_05_an_optimization_has_trials_a_score_and_a_state(story: Story) -> None:
    for run, trials in ((story.labeled, 1), (story.searched, 4)):
        assert run["trials"] == len(run["trial_list"]) == trials
        assert run["best_score"] == run["training_score"] == 1.0
        assert (
            run["state"]["digest"]
            == run["trial_list"][run["best_trial"] - 1]["candidate"]["digest"]
        )
        assert run["pins"]["seed"] == str(run["seed"])


@pytest.mark.feature("OPT-06")
@pytest.mark.feature("DST-03")
def test_opt_06_an_optimization_is_found_by_its_program_and_its_dataset(story: Story) -> None:
    made = story.triage.made
    wanted = [story.searched["optimization_id"], story.labeled["optimization_id"]]
    for query in ({"program_id": made["program"]}, {"dataset_id": made["dataset"]}):
        found = story.http.pages("/v1/optimizations", **query)
        assert [each["optimization_id"] for each in found] == wanted


@pytest.mark.feature("PRG-06")
@pytest.mark.feature("PRG-02")
def test_prg_06_each_version_says_what_it_was_compiled_from(story: Story) -> None:
    versions = story.http.get(f"{story.triage.program}/versions")["items"]
    assert [each["program_version"] for each in versions] == [3, 2, 1]
    assert [each["compiled_from"] for each in versions] == [
        story.searched["optimization_id"],
        story.labeled["optimization_id"],
        None,
    ]
    assert [each["base_version"] for each in versions] == [1, 1, None]


@pytest.mark.feature("VIS-32")
@pytest.mark.feature("PRG-04")
@pytest.mark.feature("EVL-01")
def test_prg_04_a_better_version_shows_by_its_scores(story: Story) -> None:
    assert (story.judged_1["score"], story.judged_2["score"]) == (0.25, 1.0)
    versions = story.http.get(f"{story.triage.program}/versions")["items"]
    assert [[each["score"] for each in it["scores"]] for it in versions] == [[], [1.0], [0.25]]
    assert [it["training_score"] for it in versions] == [1.0, 1.0, None]


@pytest.mark.feature("PRG-10")
@pytest.mark.feature("PRG-03")
def test_prg_10_a_deployment_names_its_reason_and_its_evidence(story: Story) -> None:
    program = story.http.get(story.triage.program)
    assert (program["stage"], program["deployed_version"]) == ("production", 2)
    assert program["metrics"]["deployed_score"] == 1.0
    [_, version, _] = story.http.get(f"{story.triage.program}/versions")["items"]
    [deployment] = version["deployments"]
    assert deployment["reason"] == "It scores 1.0, not 0.25."
    assert [each["evaluation_id"] for each in deployment["evidence"]] == [
        story.judged_1["evaluation_id"],
        story.judged_2["evaluation_id"],
    ]


def test_what_is_deployed_is_what_runs(story: Story) -> None:
    assert story.second["program_version"] == 2
    assert story.second["outputs"] == {"queue": "bug"}


def test_a_replay_is_verified_without_any_model_call(story: Story) -> None:
    assert story.model_calls_of_the_replay == 0
    assert story.replay["outcome"] == "verified"
    assert story.replay["answered_from_log"] == 1
    assert story.replay["outputs"] == story.second["outputs"]


@pytest.mark.feature("AUD-01")
def test_aud_01_every_event_is_a_sentence_of_the_trail(story: Story) -> None:
    events = story.http.events()
    trail = story.http.pages("/v1/audit", order="oldest", limit=50, at_least=events[-1]["position"])
    assert [each["event_id"] for each in trail] == [each["event_id"] for each in events]
    known = {each["event_id"]: each for each in trail}
    for each in trail:
        said = each["sentence"]
        assert said.endswith(f", for {story.http.tenant}, by {each['command']}).")
        if each["causation_id"] is None:
            assert said.startswith(f"{each['actor']} ")
            assert each["cause"] is None
        else:
            assert said.startswith("Stratal ")
            assert f" on behalf of {each['actor']} (" in said
            cause = known[each["causation_id"]]
            assert each["cause"] == {name: cause[name] for name in each["cause"]}
    deployed = next(each for each in trail if each["topic"] == "program.deployed")
    assert "ann" in deployed["sentence"]
    assert "version 2 of program “triage”" in deployed["sentence"]


@pytest.mark.feature("LMP-19")
def test_lmp_19_usage_is_the_sum_of_the_calls_in_the_log(story: Story) -> None:
    events = story.http.events()
    calls = [each["data"]["call"] for each in events if each["topic"].endswith(".lm_called")]
    total = story.http.get("/v1/usage", at_least=events[-1]["position"])["total"]
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert total[name] == sum(call["usage"][name] for call in calls)
    assert total["calls"] == len(calls)
    priced = [Decimal(call["cost_usd"]) for call in calls if call["cost_usd"] is not None]
    assert Decimal(total["cost_usd"]) == sum(priced)
    assert total["calls_with_unknown_cost"] == len(calls) - len(priced)
    by_day = story.http.pages("/v1/usage", limit=1)
    assert sum(each["calls"] for each in by_day) == len(calls)


def test_each_model_call_was_made_once_and_is_on_record(story: Story) -> None:
    runs = [
        story.first,
        story.second,
        story.judged_1,
        story.judged_2,
        story.labeled,
        story.searched,
    ]
    spends = [run.get("spend") or run["token_usage"] for run in runs]
    assert sum(spend["calls"] for spend in spends) == story.model_calls


def test_a_trace_spans_every_process(service: Service, story: Story, collector: Collector) -> None:
    reply = story.http.send(
        "POST",
        f"{story.triage.program}/execute",
        json={"inputs": {"message": MESSAGE}},
        headers={"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"},
    )
    assert reply.json()["status"] == "completed"
    way = [
        ("stratal-api", "POST /v1/programs/{program}/execute"),
        ("stratal-worker", "intake RequestExecution"),
        ("stratal-worker", "command TakeUpExecution"),
        ("stratal-worker", "append execution"),
        ("stratal-worker", "job RunExecution"),
        ("stratal-worker", "command RunExecution"),
        ("stratal-worker", "program"),
        ("stratal-worker", "predictor"),
        ("stratal-worker", "chat openai/gpt-4o-mini"),
    ]
    spans = until(
        lambda: collector.of_trace(TRACE_ID),
        lambda spans: {(each.service, each.name) for each in spans} >= set(way),
        timeout_s=20,
    )
    chat = next(each for each in spans if each.name == way[-1][1])
    walked = [(each.service, each.name) for each in _ancestry(chat, spans)]
    assert walked == [*reversed(way[4:]), way[0]]
    assert service.lm.headers[-1].get("traceparent") is None  # a provider is told nothing of it


def _ancestry(span: Seen, spans: list[Seen]) -> list[Seen]:
    """*span*, what it was part of, and so on to the root."""
    by_id = {each.span_id: each for each in spans}
    line = [span]
    while line[-1].parent_id in by_id:
        line.append(by_id[line[-1].parent_id])
    return line
