"""The verbs on this machine, and how the command line refuses."""

import json
from collections.abc import Callable

import pytest
import typer

from infrastructure.cli.app import build_app
from infrastructure.cli.doctor import Finding
from infrastructure.cli.output import plain, show_pairs, show_table
from infrastructure.cli.running import run
from infrastructure.client import Stratal
from tests.infrastructure.cli.conftest import Bench, Said

Call = Callable[..., Said]


def test_the_database_is_started_once_and_stopped_once(stratal: Call) -> None:
    assert stratal("db", "start").out == "The embedded Postgres was started: postgresql://here\n"
    assert stratal("db", "start").out == "The embedded Postgres runs already: postgresql://here\n"
    assert stratal("db", "url").out == "postgresql://here\n"
    assert stratal("db", "status", "--json").json["pid"] == 7
    assert stratal("db", "stop").out == "The embedded Postgres was stopped.\n"
    assert stratal("db", "stop").out == "The embedded Postgres was not running.\n"
    assert "state      stopped\npid        -\n" in stratal("db", "status").out
    assert stratal("db", "url", "--owner").out == "postgresql://owner@here\n"
    for verb in ("start", "url", "stop"):
        assert stratal("db", verb, "--json").json["url"] == "postgresql://here"


def test_a_database_is_prepared_by_its_owner(stratal: Call) -> None:
    assert "stratal_service may add to the log and not change it" in stratal("db", "prepare").out
    assert stratal("db", "prepare", "--json").json == {
        "state": "prepared",
        "role": "stratal_service",
    }


def test_the_doctor_finds_all_well(stratal: Call) -> None:
    said = stratal("doctor")
    assert (said.status, said.out) == (
        0,
        "STRATAL_HOME  /home\nX             (unset)\n\nwell  Python: 3.11\n",
    )


def test_the_doctor_says_how_to_mend(stratal: Call, bench: Bench) -> None:
    bench.findings, bench.settings = [Finding("API", False, "[taken]", "Stop it.")], {}
    said = stratal("doctor")
    assert (said.status, said.out) == (1, "ill   API: [taken]\n      → Stop it.\n")
    told = stratal("doctor", "--json")
    assert told.status == 1
    assert told.json["findings"] == [
        {"what": "API", "is_well": False, "found": "[taken]", "advice": "Stop it."}
    ]


def test_a_model_is_announced_and_fetched_when_somebody_agrees(
    stratal: Call, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: next(answers))
    refused = stratal("model", "fetch", "small")
    assert (refused.status, bench.fetched) == (1, set())
    assert "small, 5 MB." in refused.err
    assert "(model.not_fetched)" in refused.err
    assert stratal("model", "fetch", "small").out.startswith(
        "small was fetched: /models/small.gguf."
    )
    assert stratal("model", "fetch", "small").out.startswith("small is there already")


def test_a_model_is_fetched_unasked_with_yes(stratal: Call, bench: Bench) -> None:
    said = stratal("model", "fetch", "small", "--yes", "--json")
    assert said.json == {"name": "small", "path": "/models/small.gguf", "downloaded": True}
    assert stratal("model", "fetch", "large", "--json").status == 1


def test_where_nobody_answers_nothing_is_fetched(
    stratal: Call, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def abort(*_: object, **__: object) -> bool:
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", abort)
    said = stratal("model", "fetch", "small")
    assert said.err.endswith(
        "Nothing was downloaded. Agree to it, or say --yes. (model.not_fetched)\n"
    )
    assert not bench.fetched


def test_the_version_is_said(stratal: Call) -> None:
    assert stratal("--version").out == "stratal 1.2.3\n"


def test_a_process_is_run(stratal: Call, bench: Bench) -> None:
    assert stratal("serve").status == 0
    assert bench.served == ["served"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["progam"], "No such command 'progam'. Did you mean 'program'? See `stratal --help`."),
        (
            ["audit", "--limit", "0"],
            "Input should be greater than or equal to 1. See `stratal audit --help`.",
        ),
        (["program", "show"], "Missing argument 'PROGRAM'. See `stratal program show --help`."),
        (["audit", "--nix"], "No such option: --nix. See `stratal audit --help`."),
    ],
)
def test_a_wrong_call_says_where_the_help_is(
    stratal: Call, words: list[str], sentence: str
) -> None:
    said = stratal(*words)
    assert said.status == 2
    assert said.err.endswith(f"{sentence} (cli.misused)\n")
    assert json.loads(stratal(*words, "--json").err)["code"] == "cli.misused"


def test_a_group_alone_shows_its_help(stratal: Call) -> None:
    said = stratal("program")
    assert said.status == 2
    assert "versions" in said.out
    assert said.err == ""


def test_no_service_is_one_sentence(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.client.transport.time.sleep", lambda _s: None)
    bench.connect = lambda: Stratal("http://127.0.0.1:9")
    assert run(build_app(bench.verbs()), ["audit"]) == 1
    said = capsys.readouterr().err
    assert "No Stratal answers at http://127.0.0.1:9" in said
    assert said.count("\n") == 1
    assert said.endswith("(api.unreachable)\n")


def test_a_defect_keeps_its_trace(bench: Bench) -> None:
    def defect() -> Stratal:
        raise ZeroDivisionError

    bench.connect = defect
    with pytest.raises(ZeroDivisionError):
        run(build_app(bench.verbs()), ["audit"])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, typer.Abort])
def test_a_call_that_is_stopped_says_so(
    bench: Bench, capsys: pytest.CaptureFixture[str], stop: type[BaseException]
) -> None:
    def connect() -> Stratal:
        raise stop

    bench.connect = connect
    assert run(build_app(bench.verbs()), ["audit"]) == 130


def test_the_arguments_of_the_process_are_taken_if_none_are_given(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["stratal", "--version"])
    assert run(build_app(bench.verbs())) == 0
    assert capsys.readouterr().out == "stratal 1.2.3\n"


def test_values_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    values = [None, True, False, 0.123456, "text", {"a": 1}, [1], 7]
    assert [plain(each) for each in values] == [
        "-", "yes", "no", "0.1235", "text", '{"a": 1}', "[1]", "7",
    ]  # fmt: skip
    show_pairs({"a": "one\ntwo", "long": ""})
    assert capsys.readouterr().out == "a     one\n      two\nlong  \n"
    show_table(["n", "flag"], [])
    assert capsys.readouterr().out.split() == ["n", "flag"]
