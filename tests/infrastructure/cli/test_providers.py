"""``stratal provider``: which language models there are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from application.lm_ports import ProgramFailed
from domain.values import Failure
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import ApiWorld
from tests.support.run_world import ScriptedProgram

Call = Callable[..., Said]


def test_a_provider_is_added_shown_and_made_the_default(stratal: Call) -> None:
    assert "There are no providers" in stratal("provider", "list").out
    add = ("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    assert "Registered gpt" in stratal(*add).out
    assert stratal("provider", "add", "here", "local", "--json").json["version"] == 1
    assert "gpt answers where nothing else is said." in stratal("provider", "default", "gpt").out
    said = stratal("provider", "list").out
    assert "gpt-4" in said
    assert "default" in said
    names = [each["name"] for each in stratal("provider", "list", "--json").json]
    assert names == ["here", "gpt"]
    assert "The model of the workers" in stratal("provider", "default").out
    assert stratal("provider", "show", "gpt", "--json").json["is_default"] is False


def test_a_provider_is_changed_rotated_disabled_and_enabled(stratal: Call) -> None:
    stratal("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    for verb, sentence in (
        (("change", "gpt", "--model", "gpt-4o", "--model", "o3"), "gpt offers gpt-4o, o3."),
        (("rotate", "gpt", "env:OTHER_KEY"), "with the key in env:OTHER_KEY from now on."),
        (("disable", "gpt", "--reason", "It leaks."), "Disabled gpt."),
    ):
        assert sentence in stratal("provider", *verb).out
    said = stratal("provider", "show", "gpt").out
    assert "disabled" in said
    assert "It leaks." in said
    assert "Enabled gpt." in stratal("provider", "enable", "gpt").out
    assert "the usual one" in stratal("provider", "show", "gpt").out


@pytest.fixture
def model(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> ScriptedProgram:
    """The model says four to whatever it is asked."""
    for name, value in (("asks", ["one"]), ("outputs", {"text": "Four."})):
        monkeypatch.setattr(world.runner, name, value)
    return world.runner


@pytest.mark.feature("LMP-06")
def test_lmp_06_a_model_is_asked_without_a_program(
    stratal: Call, bench: Bench, model: ScriptedProgram
) -> None:
    stratal("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    assert stratal("provider", "generate", "gpt", "2 + 2?").out == "Four.\n"
    asked = ("--model", "gpt-4", "--system", "Go.", "--temperature", "1", "--max-tokens", "9")
    found = stratal("provider", "generate", "gpt", "2 + 2?", *asked, "--cache", "--json").json
    assert (found["text"], found["model"]) == ("Four.", "gpt/gpt-4")
    inputs = bench.connect().executions.get(found["execution_id"])["inputs"]
    told = {"prompt": "2 + 2?", "system": "Go.", "temperature": 1.0, "max_tokens": 9}
    assert inputs == told
    assert bench.connect().providers.count_tokens("gpt", "12345")["tokens"] == 2
    refused = ProgramFailed(Failure(code="model.auth_refused", message="No such key."))
    model.error = refused
    said = stratal("provider", "generate", "gpt", "2 + 2?")
    assert said.out == "There is no answer: No such key. (model.auth_refused)\n"
    assert said.status == 1


@pytest.mark.usefixtures("model")
@pytest.mark.feature("LMP-08")
def test_lmp_08_a_model_is_asked_for_each_line(stratal: Call, tmp_path: Path) -> None:
    stratal("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    prompts, out = tmp_path / "prompts.txt", tmp_path / "out.jsonl"
    prompts.write_text("2 + 2?\n\n3 + 1?\n")
    words = ("--out", str(out), "--concurrency", "2", "--fail-fast")
    said = stratal("provider", "generate-batch", "gpt", str(prompts), *words)
    assert said.out.startswith("2 of 2 rows completed")
    assert out.read_text().count("Four.") == 2
    assert stratal("provider", "generate-batch", "gpt", str(tmp_path / "none")).status == 1


@pytest.mark.feature("LMP-05")
def test_lmp_05_a_provider_is_tried(stratal: Call, model: ScriptedProgram) -> None:
    stratal("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    assert stratal("provider", "test", "gpt").out == "gpt/gpt-4 answered in 2 ms.\n"
    assert stratal("provider", "test", "gpt", "--model", "gpt-4", "--json").json["ok"] is True
    refused = ProgramFailed(Failure(code="model.auth_refused", message="No such key."))
    model.error = refused
    said = stratal("provider", "test", "gpt")
    assert said.out == "gpt/gpt-4 did not answer: No such key. (model.auth_refused)\n"
    assert said.status == 1


def test_a_key_itself_is_refused(stratal: Call) -> None:
    said = stratal("provider", "add", "gpt", "openai", "--key", "sk-canary")
    assert said.status == 1
    assert "env:OPENAI_API_KEY" in said.err
    assert "sk-canary" not in said.err
