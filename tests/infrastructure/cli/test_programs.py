"""Programs on the command line: made, shown, run, judged, bettered, deployed."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from application.lm_ports import RunStopped
from domain.values import Failure
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]


@pytest.fixture
def triage(stratal: Call, tmp_path: Path) -> Call:
    """The command line of somebody who has the program triage and the dataset mail."""
    assert stratal("program", "create", "triage", "-s", SYNTAX).status == 0
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"message": "It crashes.", "queue": "bug"}]))
    for split in ("train", "heldout"):
        assert stratal("dataset", "load", "mail", str(rows), "--split", split).status == 0
    return stratal


def test_a_program_is_created_and_shown(stratal: Call) -> None:
    made = stratal("program", "create", "triage", "--signature", SYNTAX, "--description", "Routes.")
    assert made.out.startswith("Created triage (")
    shown = dict(
        line.split(maxsplit=1) for line in stratal("program", "show", "triage").out.splitlines()
    )
    assert shown["signature"] == "message → queue"
    assert shown["modules"] == "predict (predict)"
    assert (shown["description"], shown["stage"], shown["live"]) == ("Routes.", "draft", "none")
    assert "graph" not in shown


def test_a_program_of_a_kind_takes_what_the_kind_takes(stratal: Call, bench: Bench) -> None:
    agent = ("program", "create", "agent", "-s", "a -> b", "--kind", "react", "--parameters")
    assert stratal(*agent, '{"max_iterations": 9}').status == 0
    node = bench.connect().programs.get("agent")["graph"]["nodes"][0]
    assert node["module"]["parameters"] == {"tools": [], "max_iterations": 9}
    for text, said in (("[]", "--parameters is no JSON object"), ("{", "--parameters is not JSON")):
        refused = stratal(*agent, text)
        assert refused.status == 1
        assert said in refused.err


def test_with_json_every_verb_prints_what_the_api_says(triage: Call, bench: Bench) -> None:
    made = triage(
        "program", "create", "other", "-s", "a -> b", "--kind", "chain_of_thought", "--json"
    )
    assert set(made.json) == {"id", "version", "position"}
    assert triage("program", "show", "other", "--json").json == bench.connect().programs.get(
        "other"
    )
    assert [
        each["program_version"]
        for each in triage("program", "versions", "other", "--json").json["items"]
    ] == [1]
    assert triage("program", "run", "triage", "message=Hi", "--json").json["outputs"] == {
        "queue": "bug"
    }
    assert triage("program", "deploy", "triage", "--json").json["version"] == 2
    assert triage("evaluate", "triage", "mail", "--json").json["score"] == 1.0
    assert triage("evaluate", "triage", "mail", "--no-follow", "--json").json["status"] == "pending"
    assert triage("optimize", "triage", "mail", "--json").json["adopted_version"] == 2


def test_a_program_answers(triage: Call) -> None:
    ran = triage("program", "run", "triage", "message=It crashes")
    first, last = ran.out.splitlines()
    assert first.split() == ["queue", "bug"]
    assert last.startswith("·      completed, version 1, 2 model call(s), ")
    assert ran.status == 0


def test_inputs_are_json_where_they_can_be(stratal: Call, world: ApiWorld) -> None:
    stratal("program", "create", "adder", "-s", "n: int, tags: list[str] -> queue")
    assert stratal("program", "run", "adder", "n=5", 'tags=["a"]').status == 0
    assert world.runner.ran[-1][1] == {"n": 5, "tags": ["a"]}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["message"], "cli.input_unusable"),
        (["message=a", "message=b"], "cli.input_unusable"),
        (["mesage=a"], "values.invalid"),
        ([], "values.invalid"),
        (["message=a", "--version", "9"], "program.version_not_found"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(triage: Call, words: list[str], code: str) -> None:
    said = triage("program", "run", "triage", *words, "--json")
    assert (said.status, said.out, said.problem["code"]) == (1, "", code)


def test_missing_inputs_are_all_named_for_people(triage: Call) -> None:
    said = triage("program", "run", "triage", "mesage=a")
    assert said.err.splitlines() == [
        "Missing required inputs: message (values.invalid)",
        "  /inputs/message: The input message is missing. Add it.",
        "  /inputs/mesage: The signature has no input mesage. Remove it.",
    ]


def test_a_run_that_fails_says_why_and_ends_with_1(triage: Call, world: ApiWorld) -> None:
    world.runner.error = RunStopped(Failure(code="roof.burns", message="It is on fire."))
    said = triage("program", "run", "triage", "message=Hi")
    assert said.status == 1
    assert "failure  " in said.out
    assert "failed, version 1" in said.out


@pytest.mark.feature("EXE-11")
def test_exe_11_a_run_is_printed_while_it_goes(triage: Call, world: ApiWorld) -> None:
    ran = triage("program", "run", "triage", "message=It crashes", "--stream")
    assert ran.out.splitlines()[-1].startswith("·  completed, version 1, 2 model call(s), ")
    assert ran.status == 0
    said = triage("program", "run", "triage", "message=It crashes", "--stream", "--json")
    told = [json.loads(line) for line in said.out.splitlines()]
    assert [each["event"] for each in told] == ["state", "state", *["node"] * 4, "state"]
    assert told[-1]["outputs"] == {"queue": "bug"}
    world.runner.error = RunStopped(Failure(code="roof.burns", message="It is on fire."))
    said = triage("program", "run", "triage", "message=Hi", "--stream")
    assert said.status == 1
    assert "It is on fire." in said.out


def test_a_run_that_nobody_takes_up_says_so(triage: Call, world: ApiWorld) -> None:
    world.has_worker = False
    said = triage("program", "run", "triage", "message=Hi", "--wait", "0")
    assert said.status == 1
    assert "pending, version 1" in said.out
    world.work()


def test_a_program_is_judged_bettered_and_deployed_on_evidence(triage: Call) -> None:
    judged = triage("evaluate", "triage", "mail")
    assert "version 1 scores 1.000 by exact_match on 1 heldout rows (" in judged.out
    evaluation = judged.out.rstrip(")\n").rpartition(" ")[2]
    optimized = triage(
        "optimize", "triage", "mail", "--optimizer", "labeled_fewshot", "--config", '{"k": 2}'
    )
    assert optimized.out.startswith("labeled_fewshot completed: version 2 (2 trials, best 0.500, ")
    deployed = triage(
        "program",
        "deploy",
        "triage",
        "--version",
        "1",
        "--because",
        "It is good.",
        "--evidence",
        evaluation,
    )
    assert deployed.out == "Version 1 of triage is live.\n"
    header, second, first = triage("program", "versions", "triage").out.splitlines()
    assert header.split() == [
        "version",
        "made",
        "by",
        "from",
        "training",
        "score",
        "scores",
        "live",
    ]
    assert second.split() == ["2", "labeled_fewshot", "1", "0.500", "-", "no"]
    assert first.split() == ["1", "hand", "-", "-", "exact_match", "1.000", "yes"]
    assert "live score      1.000" in triage("program", "show", "triage").out


def test_only_the_newest_score_of_each_part_is_shown(triage: Call) -> None:
    for split in ("heldout", "train", "heldout"):
        triage("evaluate", "triage", "mail", "--split", split)
    shown = triage("program", "versions", "triage").out
    assert shown.count("exact_match 1.000") == 2
    assert shown.count("exact_match 1.000 on train") == 1


def test_a_run_may_be_left_alone(triage: Call) -> None:
    assert triage("optimize", "triage", "mail", "--no-follow").out.startswith(
        "Started optimization "
    )
    assert triage("evaluate", "triage", "mail", "--no-follow").out.startswith("Started evaluation ")


def test_a_run_that_ends_badly_ends_with_1(triage: Call, world: ApiWorld) -> None:
    world.runner.error = RunStopped(Failure(code="roof.burns", message="It is on fire."))
    said = triage("optimize", "triage", "mail")
    assert (said.status, " failed: It is on fire. (" in said.out) == (1, True)


def test_an_evaluation_that_is_called_off_ends_with_1(
    triage: Call, bench: Bench, world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.has_worker = False
    client = bench.connect()

    def call_off(_s: float) -> None:
        [pending] = client.evaluations.list()
        client.evaluations.cancel(pending["evaluation_id"])

    monkeypatch.setattr("infrastructure.cli.runs.sleep", call_off)
    said = triage("evaluate", "triage", "mail")
    assert (said.status, said.out) == (1, "evaluation cancelled (0 model calls)\n")
    world.work()


def test_a_fault_that_repeats_the_sentence_is_left_out(triage: Call) -> None:
    said = triage("optimize", "triage", "mail", "--metric", "magic")
    assert said.err.count("\n") == 1


def test_who_stops_watching_is_told_that_the_run_goes_on(
    triage: Call, world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.has_worker = False

    def interrupt(_s: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("infrastructure.cli.runs.sleep", interrupt)
    said = triage("evaluate", "triage", "mail")
    assert said.status == 130
    assert "goes on without you." in said.err
    world.work()


def test_a_run_is_watched_until_its_version_is_there(
    triage: Call, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = bench.connect()
    looks = [{"status": "pending"}, {"status": "running"}, {"status": "completed"}]
    real = client.get

    def get(path: str, **query: object) -> dict[str, object]:
        early = {"adopted_version": None, **looks.pop(0)} if looks else {}
        return {**real(path, **query), **early}

    monkeypatch.setattr(client, "get", get)
    monkeypatch.setattr("infrastructure.cli.runs.sleep", lambda _s: None)
    assert "version 2" in triage("optimize", "triage", "mail").out
    assert looks == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["optimize", "triage", "mail", "--optimizer", "magic"], "optimizer.unknown"),
        (["optimize", "triage", "mail", "--metric", "magic"], "metric.unknown"),
        (["optimize", "triage", "mail", "--config", "{"], "cli.input_unusable"),
        (["optimize", "triage", "mail", "--config", "[1]"], "cli.input_unusable"),
        (["optimize", "nothing", "mail"], "not_found"),
        (["evaluate", "triage", "nothing"], "not_found"),
        (["program", "show", "nothing"], "not_found"),
        (["program", "versions", "a/b c"], "route.unknown"),
        (["program", "create", "triage", "-s", "a -> b"], "name.taken"),
        (["program", "create", "x", "-s", "a b"], "invalid_signature_format"),
        (["program", "deploy", "triage", "--version", "9"], "program.version_not_found"),
        (["program", "deploy", "triage", "--evidence", str(uuid4())], "program.evidence_invalid"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(
    triage: Call, words: list[str], code: str
) -> None:
    said = triage(*words, "--json")
    assert (said.status, said.out, said.problem["code"]) == (1, "", code)


def test_a_retired_program_says_so(triage: Call, bench: Bench) -> None:
    bench.connect().programs.retire("triage", "It is old.")
    assert "UTC: It is old." in triage("program", "show", "triage").out
