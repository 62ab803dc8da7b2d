"""The demo around its story: which service it uses, which model, and how it says goodbye."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from infrastructure.cli.models import ModelNotWanted
from infrastructure.demo.story import DemoFailed
from infrastructure.main import demo as demo_module
from infrastructure.main.demo import demo
from infrastructure.main.owner import Serving, sole_owner
from infrastructure.models.binding import ModelIsMissing
from infrastructure.models.weights import fetched_path
from infrastructure.settings import Settings
from tests.support.api import ApiWorld
from tests.support.served import served

QWEN = "qwen2.5-coder-0.5b"


class FakeStory:
    """A story that is told in no time, or is interrupted."""

    program = "triage-1"
    told: list[str] = []
    interrupt = False

    def __init__(self, api: object, task: object, model: str, teller: object) -> None:
        self.model = model

    def tell(self) -> None:
        if self.interrupt:
            raise KeyboardInterrupt
        self.told.append(self.model)


@pytest.fixture(autouse=True)
def story(monkeypatch: pytest.MonkeyPatch) -> type[FakeStory]:
    class Told(FakeStory):
        told: list[str] = []

    monkeypatch.setattr(demo_module, "Story", Told)
    return Told


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"STRATAL_HOME": str(tmp_path), "STRATAL_LM": "local"})


@pytest.fixture
def running(settings: Settings) -> Iterator[str]:
    """The address of a service that runs on the home, with another model."""
    with served(ApiWorld()) as url, sole_owner(settings.home) as announce:
        announce(Serving(url, "openai/gpt-4o-mini"))
        yield url


def test_the_service_that_runs_is_used_with_its_model(
    settings: Settings,
    running: str,
    story: type[FakeStory],
    capsys: pytest.CaptureFixture[str],
) -> None:
    demo(settings, agreed=False)
    said = capsys.readouterr().out
    assert story.told == ["openai/gpt-4o-mini"]
    assert "The service that runs has this model; stop it to use local.\n" in said
    assert "Nothing was asked of any provider." not in said
    assert "  go on  .venv/bin/stratal program show triage-1\n" in said
    assert f"  API    {running}, its pages on {running}/docs" in said


def test_who_interrupts_is_told_how_to_go_on(
    settings: Settings,
    running: str,
    story: type[FakeStory],
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.interrupt = True
    with pytest.raises(typer.Exit) as ended:
        demo(settings, agreed=False)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().out.endswith("Run it again: it goes on from there.\n")


def test_a_service_that_owns_the_home_and_is_silent_is_not_waited_for_forever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "START_TIMEOUT_S", 0.2)
    with sole_owner(settings.home), pytest.raises(DemoFailed, match="does not answer"):
        demo(settings, agreed=False)


def qwen(settings: Settings) -> Settings:
    return settings.model_copy(update={"lm": f"local:{QWEN}"})


def test_a_download_that_is_refused_ends_the_demo(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    with pytest.raises(typer.Exit) as ended:
        demo(qwen(settings), agreed=False)
    assert ended.value.exit_code == 0
    assert "Nothing was downloaded. `make demo` runs on a small model" in capsys.readouterr().out


def test_a_download_that_nobody_agrees_to_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> bool:
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", nobody)
    with pytest.raises(ModelNotWanted):
        demo(qwen(settings), agreed=False)


def test_a_download_that_is_agreed_to_is_made_before_anything_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(demo_module, "fetch", lambda download, home: fetched.append(download.name))
    with pytest.raises(ModelIsMissing, match=QWEN):
        demo(qwen(settings), agreed=True)
    assert fetched == [QWEN]


def test_a_model_that_was_fetched_is_not_asked_about(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetched_path(QWEN, settings.home)
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: pytest.fail("It asked."))
    demo_module._model_is_there(qwen(settings), agreed=False)
