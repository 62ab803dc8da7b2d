"""Signatures, datasets, executions and the audit trail on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from infrastructure.cli.signatures import LONGEST_LINE
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]


def test_a_signature_is_compiled_to_its_fields(stratal: Call) -> None:
    inputs = "a?: int = 1, b: list[str], c: dict[str, int], d: int | None"
    text = inputs + " -> e: Literal['x','y'] \"why\", f: int | str"
    said = stratal("signature", "compile", text)
    rows = [line.split(maxsplit=3) for line in said.out.splitlines()[2:]]
    assert [row[0] for row in rows] == list("abcdef")
    assert [row[1] for row in rows] == ["in"] * 4 + ["out"] * 2
    for part in (
        "list[string]",
        "dict[string, integer]",
        "integer | null",
        "x | y",
        "integer | string",
        "why",
    ):
        assert part in said.out
    assert "output_schema" in stratal("signature", "compile", text, "--json").json


def test_every_type_of_a_signature_is_shown(stratal: Call) -> None:
    text = "a: code[sql], b: object{x: int, y: list[str]}, c: integer(ge=0, le=9) -> d"
    said = stratal("signature", "compile", text).out
    for part in ("code[sql]", "object{x: integer, y: list[string]}", "integer (ge 0, le 9)"):
        assert part in said


@pytest.mark.feature("SIG-26")
def test_sig_26_a_schema_is_printed_for_a_provider(stratal: Call, bench: Bench) -> None:
    bench.connect().signatures.create("qa", "question -> answer, sure?: probability")
    shown = stratal("signature", "json-schema", "qa", "--for", "openai").json
    assert shown["schema"]["required"] == ["answer", "sure"]
    shown = stratal("signature", "json-schema", "qa", "--side", "inputs").json
    assert list(shown["properties"]) == ["question"]
    assert stratal("signature", "json-schema", "qa", "--for", "nobody").status == 2


TABLE = ("signature", "from-table", "public.posts", "--database-url", "postgresql://there")


@pytest.mark.feature("SIG-31")
def test_sig_31_a_signature_of_a_table_is_shown(stratal: Call) -> None:
    said = stratal(*TABLE, "--outputs", "summary")
    assert said.out == (
        "title: string, author_id: string, author: object{name: string} -> summary?: string\n"
    )
    said = stratal(*TABLE, "--outputs", "summary", "--inputs", "title, author_id", "--levels", "0")
    assert said.out == "title: string, author_id: string -> summary?: string\n"
    shown = stratal(*TABLE, "--outputs", "summary", "--instructions", "Summarize.", "--json").json
    assert shown["instructions"] == "Summarize."


@pytest.mark.feature("SIG-31")
def test_sig_31_a_signature_of_a_table_is_kept(stratal: Call, bench: Bench) -> None:
    kept = stratal(*TABLE, "--outputs", "summary", "--name", "posts", "--json").json
    assert (
        stratal(*TABLE, "--outputs", "summary", "--name", "posts", "--json").json["position"] == 0
    )
    assert bench.connect().signatures.get("posts")["signature_id"] == kept["id"]


def test_a_table_that_cannot_be_described_is_a_refusal(stratal: Call) -> None:
    said = stratal(*TABLE[:-1], "postgresql://nowhere", "--outputs", "summary")
    assert said.err == "Nothing answers at postgresql://nowhere. (model.setting_invalid)\n"
    said = stratal(*TABLE, "--outputs", "nothing")
    assert "There is no nothing. There are title, author_id, author, summary." in said.err


@pytest.mark.feature("SIG-09")
@pytest.mark.parametrize(
    ("text", "column", "code"),
    [
        ("foo: strng -> a", 6, "invalid_type"),
        ("a b", 3, "invalid_signature_format"),
        ("消息: strng -> a", 7, "invalid_type"),
    ],
)
def test_sig_09_a_caret_stands_under_the_fault(
    stratal: Call, text: str, column: int, code: str
) -> None:
    said = stratal("signature", "compile", text)
    line, caret, sentence, *_ = said.err.splitlines()
    assert said.status == 1
    assert line == text
    assert caret == " " * (column - 1) + "^"
    assert sentence.endswith(f"({code})")


def test_the_caret_stands_in_the_line_of_the_fault(stratal: Call) -> None:
    line, caret, *_ = stratal("signature", "compile", "a: str,\nb: intger -> c").err.splitlines()
    assert (line, caret) == ("b: intger -> c", "   ^")


def test_no_caret_for_programs_for_rules_and_for_endless_lines(stratal: Call) -> None:
    said = stratal("signature", "compile", "foo: strng -> a", "--json")
    assert said.problem["code"] == "invalid_type"
    assert "Did you mean string?" in said.problem["faults"][0]
    for text in ("a, a -> b", f"{'x' * LONGEST_LINE}: strng -> a"):
        assert "^" not in stratal("signature", "compile", text).err


def test_rows_are_loaded_and_shown_in_figures(stratal: Call, tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    lines.write_text('{"message": "Hi", "queue": "bug"}\n{"message": "Hi", "queue": null}\n')
    table = tmp_path / "rows.CSV"
    table.write_text("message,queue\nHello,bug\n")
    assert (
        stratal("dataset", "load", "mail", str(lines)).out
        == "Loaded rows.jsonl into mail (train).\n"
    )
    assert stratal("dataset", "load", "mail", str(table), "--split", "heldout").status == 0
    pairs, figures = stratal("dataset", "show", "mail").out.split("\n\n")
    assert "rows        2 train, 1 heldout" in pairs
    assert "duplicates  none" in pairs
    header, message, queue = figures.splitlines()
    assert header.split() == [
        "field",
        "rows",
        "null",
        "%",
        "shortest",
        "mean",
        "longest",
        "5",
        "%",
        "values",
    ]
    assert message.split() == ["message", "3", "0", "2", "3", "5", "Hi", "2,", "Hello", "1"]
    assert queue.split() == ["queue", "3", "33.3", "3", "3", "3", "bug", "2"]


def test_free_text_and_nulls_show_no_values(stratal: Call, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(
        json.dumps([{"text": f"message {number}", "none": None} for number in range(9)])
    )
    stratal("dataset", "load", "mail", str(rows))
    none, text = stratal("dataset", "show", "mail").out.splitlines()[-2:]
    assert text.split()[-1] == "-"
    assert none.split() == ["none", "9", "100", "-", "-", "-", "-"]


def test_a_dataset_without_rows_is_shown_without_figures(stratal: Call, bench: Bench) -> None:
    bench.connect().datasets.create("empty", description="Nothing yet.")
    assert stratal("dataset", "show", "empty").out.splitlines()[-1].startswith("created")


def test_a_dataset_is_json_for_programs(stratal: Call, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text('[{"a": 1}]')
    loaded = stratal("dataset", "load", "mail", str(rows), "--json").json
    assert set(loaded) == {"id", "version", "position", "repeated", "leaked", "rows"}
    assert stratal("dataset", "show", "mail", "--json").json["statistics"]["size"] == 1


def test_files_that_cannot_be_loaded_are_refused(stratal: Call, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    for name, code in (
        ("none.json", "cli.input_unusable"),
        ("rows.txt", "cli.input_unusable"),
        ("bad.json", "json.malformed"),
    ):
        said = stratal("dataset", "load", "mail", str(tmp_path / name), "--json")
        assert (said.status, said.problem["code"]) == (1, code)
    good = tmp_path / "good.json"
    good.write_text('[{"a": 1}]')
    said = stratal("dataset", "load", "mail", str(good), "--split", "middle", "--json")
    assert said.problem["code"] == "request.invalid"
    assert (
        stratal("dataset", "show", "nothing").err == "No dataset is called nothing. (not_found)\n"
    )


@pytest.fixture
def execution(stratal: Call) -> str:
    stratal("program", "create", "triage", "-s", SYNTAX)
    ran = stratal("program", "run", "triage", "message=It [bold]crashes[/bold]", "--json")
    return str(ran.json["execution_id"])


def test_an_execution_is_shown_with_what_it_was_asked(stratal: Call, execution: str) -> None:
    shown = stratal("execution", "show", execution).out
    assert "in   message  It [bold]crashes[/bold]\n" in shown
    assert "out  queue    bug\n" in shown
    assert "attempts" not in shown
    assert "replays" not in shown
    assert stratal("execution", "show", execution, "--json").json["status"] == "completed"


def test_a_replay_is_verified_and_shown(stratal: Call, execution: str) -> None:
    said = stratal("execution", "replay", execution)
    assert said.out == "Verified: model calls 0, answered from the log 2, outputs equal.\n"
    assert "replays       1 verified\n" in stratal("execution", "show", execution).out
    assert stratal("execution", "replay", execution, "--json").json["outcome"] == "verified"


def test_a_replay_that_differs_ends_with_1(stratal: Call, execution: str, world: ApiWorld) -> None:
    asks, world.runner.asks = world.runner.asks, ["something else"]
    said = stratal("execution", "replay", execution)
    world.runner.asks = asks
    assert said.status == 1
    assert said.out.splitlines() == [
        "Diverged: something else is not in the log. Call 1 of the log differs first at /ask.",
        "  @ /ask",
        '  - ask: "first"',
        '  + ask: "something else"',
    ]


def test_a_replay_that_nobody_takes_up_says_so(
    stratal: Call, bench: Bench, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = {"outcome": "pending", "failure": None}
    monkeypatch.setattr(bench.connect().executions, "replay", lambda _id, wait_s: pending)
    said = stratal("execution", "replay", execution)
    assert said.status == 1
    assert said.out.startswith("No worker has taken it up")


def test_a_trace_is_prompt_and_answer(
    stratal: Call, bench: Bench, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench.connect().executions.trace(execution)
    first = next(iter(made))
    prompt = {
        "system": "Answer.",
        "messages": [{"role": "user", "parts": [{"text": "[red]Hi[/red]\n"}, {"type": "image"}]}],
    }
    failure = {"code": "model.away", "message": "It is away."}
    calls = [
        {**first, "request": prompt, "response": {"message": {"parts": [{"text": "bug"}]}}},
        {**first, "index": 2, "request": None, "response": None, "failure": failure},
    ]
    monkeypatch.setattr(bench.connect().executions, "trace", lambda _id, as_of: iter(calls))
    said = stratal("execution", "show", execution, "--trace").out
    assert (
        '── system\nAnswer.\n── user\n[red]Hi[/red]\n\n{"type": "image"}\n── answer\nbug\n' in said
    )
    assert "── prompt\n(erased)\nIt failed: It is away. (model.away)\n" in said
    assert stratal("execution", "show", execution, "--trace", "--json").json["trace"] == calls


def test_a_trace_tells_what_a_tool_was_given_and_what_it_gave(
    stratal: Call, bench: Bench, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = {
        "kind": "tool",
        "index": 1,
        "node": "agent",
        "tool": "search",
        "arguments": {"query": "cats"},
        "result": ["a cat"],
        "latency_ms": 2.5,
        "failure": None,
        "filled_by": None,
    }
    failure = {"code": "tool.failed", "message": "Gone."}
    calls = [used, {**used, "index": 2, "arguments": None, "result": None, "failure": failure}]
    monkeypatch.setattr(bench.connect().executions, "trace", lambda _id, as_of: iter(calls))
    said = stratal("execution", "show", execution, "--trace").out
    assert "call 1 of 2  agent called search: 2 ms\n── arguments\n{" in said
    assert '── result\n["a cat"]\n' in said
    assert "── arguments\n(erased)\nIt failed: Gone. (tool.failed)\n" in said


def test_a_trace_of_another_shape_is_shown_as_data(stratal: Call, execution: str) -> None:
    assert "── answer\n{" in stratal("execution", "show", execution, "--trace").out


def test_an_execution_that_was_called_off_says_why(
    stratal: Call, bench: Bench, world: ApiWorld
) -> None:
    world.has_worker = False
    client = bench.connect()
    client.programs.create("triage", SYNTAX)
    ran = client.programs.execute("triage", {"message": "Hi"}, wait_s=0)
    client.executions.cancel(ran["execution_id"], "Never mind.")
    shown = stratal("execution", "show", ran["execution_id"]).out
    assert "cancelled     Never mind.\n" in shown
    assert "took          -\n" in shown
    world.work()


def test_an_execution_that_took_several_attempts_says_so(
    stratal: Call, bench: Bench, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bench.connect().executions.get(execution)
    monkeypatch.setattr(
        bench.connect().executions, "get", lambda _id, as_of: {**found, "attempts": 2}
    )
    assert "attempts      2\n" in stratal("execution", "show", execution).out


def test_an_unknown_execution_is_refused(stratal: Call) -> None:
    assert stratal("execution", "show", str(uuid4())).err.endswith("(not_found)\n")
    assert (
        stratal("execution", "replay", "nonsense").err.splitlines()[0].endswith("(request.invalid)")
    )


def test_the_audit_trail_is_sentences_newest_first(stratal: Call, execution: str) -> None:
    told = stratal("audit").out.splitlines()
    assert "ada created program “triage”" in told[-1]
    assert len(stratal("audit", "--limit", "2").out.splitlines()) == 2
    assert len(stratal("audit", "--of", execution).out.splitlines()) == len(told) - 1
    assert stratal("audit", "--actor", "nobody").out == ""
    assert stratal("audit", "--limit", "1", "--json").json["items"][0]["actor"] == "worker"


def test_the_log_is_held_against_what_was_signed(stratal: Call, bench: Bench) -> None:
    said = stratal("audit", "verify", "--key", "k", "--checkpoints", "f", "--checkpoints", "g")
    assert (said.status, said.out) == (0, "read 7 events\n")
    told = {"keys": ["k"], "checkpoints": ["f", "g"]}
    assert stratal("audit", "verify", "--key", "k", "--json").json == told | {"checkpoints": []}
    bench.is_untouched = False
    assert stratal("audit", "verify").status == 1
    assert stratal("audit", "verify", "--json").status == 1


def test_progress_is_for_people(stratal: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stratal("audit", "verify").err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert "7 events" in stratal("audit", "verify").err


def test_a_bundle_is_written_from_a_position_on(stratal: Call) -> None:
    assert stratal("audit", "export", "--out", "b.zip").out == "b.zip from 1\n"
    assert stratal("audit", "export", "--out", "b", "--from", "7").out == "b from 7\n"
    assert stratal("audit", "export").status == 2
