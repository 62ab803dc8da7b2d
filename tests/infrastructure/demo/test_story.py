"""The story of the demo over the API: told once, told again, and told honestly."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from application.lm_ports import RunStopped
from domain.values import Failure
from infrastructure.demo import story as story_module
from infrastructure.demo.story import DemoFailed, Story
from infrastructure.demo.task import TRIAGE, task_for
from infrastructure.demo.telling import WIDTH, Teller
from tests.support.api import ApiWorld
from tests.support.postgres import copy_of
from tests.support.projecting import read_models
from tests.support.served import Watching, served

TASK = replace(TRIAGE, optimizer="labeled_fewshot", config={"k": 2})


@pytest.fixture(scope="module")
def world(cluster: str, template: str) -> Iterator[ApiWorld]:
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as models:
        yield ApiWorld(models)


@pytest.fixture(scope="module")
def url(world: ApiWorld) -> Iterator[str]:
    with served(world) as url:
        yield url


@pytest.fixture
def api(world: ApiWorld, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    monkeypatch.setattr(story_module, "LOOK_S", 0)
    world.has_worker, world.runner.error = True, None
    world.runner.outputs = {"queue": "bug"}
    with Watching(url, world, tenant=f"t-{uuid4().hex}", actor="demo") as client:
        yield client


def told(api: Watching) -> list[str]:
    """The lines of the story."""
    out = io.StringIO()
    try:
        teller = Teller(Console(file=out, highlight=False, soft_wrap=True, width=200))
        Story(api, TASK, "local:small", teller).tell()
    finally:
        lines = out.getvalue().splitlines()
    return lines


def test_the_story_is_told_in_steps_within_the_width(api: Watching) -> None:
    lines = told(api)
    steps = [line[4:] for line in lines if line[:2].strip().isdigit() and line[2:4] == "  "]
    assert steps == [
        "Compile a signature and create a program from it",
        "Load a small labelled dataset",
        "Execute version 1",
        "Score version 1 on the held-out rows",
        "Optimize with labeled_fewshot in the background",
        "Score version 2 on the same rows",
        "Deploy version 1",
        "Execute the live version, 1",
        "Replay that execution from the log, the model switched off",
        "Read the audit trail",
        "Add up what it cost",
    ]
    text = "\n".join(lines)
    assert "answered  queue='bug'" in text
    assert "trial 1" in text
    assert "model calls 0, answered from the log 2, outputs equal\n" in text
    assert "(as before)" not in text
    assert max(map(len, lines)) <= WIDTH


def test_no_gain_is_said_and_the_first_version_stays(api: Watching) -> None:
    text = " ".join(" ".join(told(api)).split())
    assert "Optimization brought no gain, so version 1 stays: version 1 scored" in text
    assert api.programs.get(_program(api))["deployed_version"] == 1


def test_a_gain_is_said_and_the_better_version_goes_live(api: Watching, world: ApiWorld) -> None:
    world.runner.outputs = {"queue": "none"}

    def learn(asked: str) -> None:
        if asked == "trial 2":
            world.runner.outputs = {"queue": "howto"}

    world.runner.after = learn
    lines = told(api)
    world.runner.after = lambda _asked: None
    assert any("Version 2 is better: version 1 scored 0.0% and" in line for line in lines)
    assert api.programs.get(_program(api))["deployed_version"] == 2


def test_told_again_it_creates_nothing_and_says_so(api: Watching, world: ApiWorld) -> None:
    first, head = told(api), len(world.log.recorded)
    again = told(api)
    assert len(world.log.recorded) == head
    fresh = [line for line in first if not line.endswith(" s")]
    repeated = [line.removesuffix(" (as before)") for line in again if not line.endswith(" s")]
    assert [line for line in repeated if "held-out rows." not in line] == [
        line for line in fresh if "held-out rows." not in line
    ]
    assert sum(line.endswith("before)") for line in again) == 11


def test_what_was_interrupted_goes_on(api: Watching, world: ApiWorld) -> None:
    def interrupt(asked: str) -> None:
        if asked == "trial 2":
            world.runner.after = lambda _asked: None
            raise RunStopped(Failure(code="stopped", message="Stopped."))

    world.runner.after = interrupt
    with pytest.raises(DemoFailed, match="A run ended as failed"):
        told(api)
    world.runner.after = lambda _asked: None
    lines = told(api)
    assert any("compiled version 2" in line and "before" not in line for line in lines)
    assert len(list(api.programs.list())) == 1


def test_a_run_that_fails_now_ends_the_story(api: Watching, world: ApiWorld) -> None:
    world.runner.error = RunStopped(Failure(code="roof.burns", message="It is on fire."))
    with pytest.raises(DemoFailed, match="It is on fire"):
        told(api)


def test_a_run_that_does_not_end_is_given_up(
    api: Watching, world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.has_worker = False
    monkeypatch.setattr(story_module, "LONGEST_RUN_S", 0.05)
    with pytest.raises(DemoFailed, match="has not ended"):
        told(api)
    world.has_worker = True


def test_a_run_that_is_called_off_ends_the_story(
    api: Watching, world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, world.has_worker = api.get, False

    def call_off(path: str, **query: object) -> dict[str, Any]:
        if "/executions/" in path:
            api.post(f"{path}/cancel", {})
        return real(path, **query)

    monkeypatch.setattr(api, "get", call_off)
    with pytest.raises(DemoFailed, match="cancelled: Somebody called it off"):
        told(api)


def test_a_replay_that_differs_ends_the_story(
    api: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = api.post

    def post(path: str, *args: Any, **how: Any) -> dict[str, Any]:
        differs = {"outcome": "diverged", "failure": {"message": "Another end."}}
        return differs if path.endswith("/replay") else real(path, *args, **how)

    monkeypatch.setattr(api, "post", post)
    with pytest.raises(DemoFailed, match="The replay is diverged: Another end"):
        told(api)


def test_the_trail_is_read_when_the_read_models_have_caught_up(
    api: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind, real = [1, 1], api.readiness

    def readiness() -> dict[str, Any]:
        seen = real()
        if behind and len(list(api.executions.list())) == 2:
            seen["projections"][0]["behind"] = behind.pop()
        return seen

    monkeypatch.setattr(api, "readiness", readiness)
    told(api)
    assert behind == []


def test_the_task_fits_the_model() -> None:
    assert task_for("local").name != task_for("local:qwen2.5-coder-0.5b").name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("local", "triage-local-"),
        ("openai/gpt-4o-mini", "triage-openai-gpt-4o-mini-"),
        ("scripted:/a/very/long/way/to/the/model.json", "triage-scripted--a-"),
    ],
)
def test_the_program_is_named_after_task_and_model(api: Watching, model: str, name: str) -> None:
    assert Story(api, TASK, model, Teller()).program.startswith(name)


def _program(api: Watching) -> str:
    [program] = api.programs.list()
    return str(program["program_id"])
