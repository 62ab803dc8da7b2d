"""The doctor finds what is wrong with a set-up and says how to mend it."""

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infrastructure.cli.doctor import Finding
from infrastructure.main import examination
from infrastructure.main.address import free_port
from infrastructure.main.examination import examine
from infrastructure.main.owner import Serving, sole_owner
from infrastructure.notary.keys import signer
from infrastructure.settings import Settings
from tests.support.api import ApiWorld
from tests.support.postgres import service_of
from tests.support.served import served


@pytest.fixture(autouse=True)
def set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [each for each in os.environ if each.startswith("STRATAL_")]:
        monkeypatch.delenv(name)
    script = tmp_path / "model.json"
    script.write_text("{}")
    monkeypatch.setenv("STRATAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STRATAL_PORT", str(free_port("127.0.0.1", 0)))
    monkeypatch.setenv("STRATAL_LM", f"scripted:{script}")
    monkeypatch.setattr("infrastructure.client.transport.time.sleep", lambda _s: None)
    return monkeypatch


def finding(what: str) -> Finding:
    return next(each for each in examine().findings if each.what == what)


def test_a_fresh_set_up_is_well() -> None:
    found = examine()
    assert [each.what for each in found.findings if not each.is_well] == []
    assert [each.what for each in found.findings] == [
        "Python", "home", "database", "notary", "queue", "language model", "API", "models asked",
    ]  # fmt: skip
    assert found.settings["STRATAL_HOST"] == "127.0.0.1"


def test_settings_that_cannot_be_used_are_named(set_up: pytest.MonkeyPatch) -> None:
    set_up.setenv("STRATAL_WORKERS", "many")
    found = finding("settings")
    assert not found.is_well
    assert "STRATAL_WORKERS" in found.advice


def test_the_key_of_the_notary_is_named_once_it_is_there(tmp_path: Path) -> None:
    assert finding("notary") == Finding("notary", True, "makes its key when it first starts")
    key = signer(None, tmp_path / "home").key
    assert finding("notary") == Finding("notary", True, f"signs as {key}")
    (tmp_path / "home" / "notary.pem").chmod(0o644)
    found = finding("notary")
    assert not found.is_well
    assert "chmod 600" in found.advice


def test_a_file_that_takes_no_checkpoints_is_named(
    set_up: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signer(None, tmp_path / "home")
    set_up.setenv("STRATAL_NOTARY_FILE", str(tmp_path / "checkpoints.txt"))
    assert finding("notary").is_well
    set_up.setenv("STRATAL_NOTARY_FILE", str(tmp_path / "none" / "checkpoints.txt"))
    found = finding("notary")
    assert not found.is_well
    assert "STRATAL_NOTARY_FILE" in found.advice
    set_up.setenv("STRATAL_NOTARY_FILE", str(tmp_path / "checkpoints.txt"))
    for missing in (os.R_OK, os.W_OK):
        set_up.setattr("os.access", lambda _path, mode, missing=missing: not mode & missing)
        assert not finding("notary").is_well


def test_a_home_under_a_file_is_ill(set_up: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    set_up.setenv("STRATAL_HOME", str(tmp_path / "file" / "home"))
    assert not examination._home(Settings.from_environment()).is_well


def test_the_database_is_looked_at(set_up: pytest.MonkeyPatch, database: str) -> None:
    set_up.setenv("STRATAL_DATABASE_URL", database)
    assert finding("database").found.endswith(
        "data checksums on, as stratal_service, which may not update, delete or truncate events"
    )
    set_up.setenv("STRATAL_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert "mend STRATAL_DATABASE_URL" in finding("database").advice


def test_a_role_that_could_change_the_log_is_ill(set_up: pytest.MonkeyPatch, cluster: str) -> None:
    set_up.setenv("STRATAL_DATABASE_URL", cluster)
    found = finding("database")
    assert not found.is_well
    assert "The role postgres could change the log: it is a superuser." in found.advice


def test_a_database_without_tables_needs_its_owner(
    set_up: pytest.MonkeyPatch, empty_database: str
) -> None:
    set_up.setenv("STRATAL_DATABASE_URL", service_of(empty_database))
    assert "run `stratal db prepare`" in finding("database").advice
    set_up.setenv("STRATAL_DATABASE_OWNER_URL", empty_database)
    assert finding("database").is_well


def test_an_unsafe_database_is_ill(set_up: pytest.MonkeyPatch, cluster: str) -> None:
    unsafe = f"{cluster}&options=-c%20synchronous_commit%3Doff"
    set_up.setenv("STRATAL_DATABASE_URL", unsafe)
    assert "synchronous_commit = off" in finding("database").advice


def test_a_queue_is_reached_or_not(set_up: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
        set_up.setenv("STRATAL_BROKER_URL", f"redis://127.0.0.1:{port}")
        assert finding("queue") == Finding("queue", True, f"redis on 127.0.0.1, port {port}")
    set_up.setenv("STRATAL_BROKER_URL", "amqp://127.0.0.1:9")
    assert finding("queue").advice.startswith("Connection refused. Start it")


def test_a_model_that_is_not_there_is_ill(set_up: pytest.MonkeyPatch) -> None:
    set_up.setenv("STRATAL_LM", "local:qwen2.5-coder-0.5b")
    assert "stratal model fetch" in finding("language model").advice


def test_a_service_that_answers_is_well(set_up: pytest.MonkeyPatch) -> None:
    with served(ApiWorld()) as url:
        set_up.setenv("STRATAL_PORT", url.rpartition(":")[2])
        assert finding("API") == Finding("API", True, f"answers at {url}")


@pytest.mark.feature("LMP-24")
@pytest.mark.parametrize(
    ("states", "found"),
    [
        ([], Finding("models asked", True, "0 lately, and none of them fails")),
        (["answering"], Finding("models asked", True, "1 lately, and none of them fails")),
        (
            ["answering", "failing"],
            Finding("models asked", False, "m2 (model.timeout)", "See: stratal provider health."),
        ),
    ],
)
def test_lmp_24_models_that_fail_are_found(
    set_up: pytest.MonkeyPatch, states: list[str], found: Finding
) -> None:
    told = [
        {"model": f"m{number}", "state": state, "last_failure": "model.timeout"}
        for number, state in enumerate(states, 1)
    ]
    set_up.setattr("infrastructure.client.Stratal.model_health", lambda _: told)
    assert finding("models asked") == found


def test_another_program_on_the_port_is_ill(set_up: pytest.MonkeyPatch) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(418, json.dumps({}))

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        set_up.setenv("STRATAL_PORT", str(server.server_port))
        assert finding("API").found == "another program"
        server.shutdown()
        thread.join()


def test_an_address_nobody_can_listen_on_is_ill(set_up: pytest.MonkeyPatch) -> None:
    set_up.setattr(examination, "PATIENCE_S", 0.1)
    set_up.setenv("STRATAL_HOST", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        set_up.setenv("STRATAL_PORT", str(deaf.getsockname()[1]))
        assert finding("API").found == "cannot listen"


def test_the_service_of_the_home_may_be_elsewhere(set_up: pytest.MonkeyPatch) -> None:
    with sole_owner(Settings.from_environment().home) as announce:
        announce(Serving("http://127.0.0.1:1", "local"))
        assert finding("API").found.endswith("the service of this home is at http://127.0.0.1:1")
