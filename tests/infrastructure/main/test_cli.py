"""The entry point: quick to start, and each verb reaches what it is about."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from infrastructure.main import cli
from infrastructure.main.cli import main
from infrastructure.models.weights import fetched_path

HEAVY = ("dspy", "fastapi", "psycopg", "pydantic", "dramatiq", "uvicorn", "eventsourcing")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("STRATAL_HOME", str(tmp_path))
    monkeypatch.setenv("STRATAL_PORT", "9")
    monkeypatch.setattr("infrastructure.client.transport.time.sleep", lambda _s: None)
    return tmp_path


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["stratal", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['stratal', '--help']; from infrastructure.main.cli import main\n"
        f"try: main()\nexcept SystemExit: print([it for it in {HEAVY!r} if it in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_distribution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == "stratal 0.1.0\n"


def test_settings_that_cannot_be_used_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRATAL_PORT", "many")
    for words in (["audit"], ["serve"], ["db", "status"], ["api"]):
        assert called(monkeypatch, *words, "--json") in {1, 2}
    assert called(monkeypatch, "db", "status", "--json") == 1
    problem = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert problem["code"] == "settings.invalid"
    assert "STRATAL_PORT" in problem["detail"]


def test_no_service_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "audit") == 1
    assert "No Stratal answers at http://127.0.0.1:9" in capsys.readouterr().err


def test_the_database_of_the_home_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert called(monkeypatch, "db", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["data"] == str(home / "postgres" / "data")


def test_a_process_is_started_by_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    roles: list[str] = []
    monkeypatch.setattr("infrastructure.main.process.main", roles.append)
    for role in ("api", "worker", "projector", "notary"):
        assert called(monkeypatch, role) == 0
    assert roles == ["api", "worker", "projector", "notary"]


def test_serve_demo_and_doctor_reach_their_modules(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    reached: list[object] = []
    monkeypatch.setattr(
        "infrastructure.main.serve.serve", lambda settings: reached.append(settings.home)
    )
    monkeypatch.setattr(
        "infrastructure.main.demo.demo", lambda settings, agreed: reached.append(agreed)
    )
    assert called(monkeypatch, "serve") == 0
    assert called(monkeypatch, "demo", "--yes") == 0
    assert reached == [home, True]
    monkeypatch.setenv("STRATAL_WORKERS", "many")
    assert called(monkeypatch, "doctor") == 1


def test_a_model_is_announced_and_fetched_into_the_home(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    path = fetched_path("qwen2.5-coder-0.5b", home)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    assert called(monkeypatch, "model", "fetch", "qwen2.5-coder-0.5b") == 1
    assert "478 MB" in capsys.readouterr().err
    path.parent.mkdir()
    path.touch()
    assert called(monkeypatch, "model", "fetch", "qwen2.5-coder-0.5b") == 0
    assert "is there already" in capsys.readouterr().out


def test_whoever_has_no_name_is_anonymous(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(cli, "getuser", nameless)
    assert cli._actor() == "anonymous"
