"""``stratal demo`` as its user meets it: told, told again, interrupted, beside a service."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import READY_S, SOON_S, Home, children, wait_until_gone
from tests.support.service import until

pytestmark = [pytest.mark.journey, pytest.mark.slow]

WIDTH = 110


@pytest.fixture
def stratal(tmp_path: Path) -> Iterator[Home]:
    stratal = Home(tmp_path, '{"default": {"latency_ms": 20}}')
    yield stratal
    stratal.close()


def told(home: Home) -> str:
    """What a demo that ends well prints."""
    done = home.call("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_demo_ends_by_itself_and_a_second_run_creates_nothing(stratal: Home) -> None:
    first = told(stratal)
    steps = re.findall(r"^ ?\d+  (.*)$", first, re.MULTILINE)
    assert (len(steps), steps[0]) == (13, "Start an embedded Postgres and the service")
    assert len(re.findall(r"^    \d+\.\d s$", first, re.MULTILINE)) == len(steps)
    assert max(len(line) for line in first.splitlines() if str(stratal.home) not in line) <= WIDTH
    assert "model calls 0, answered from the log 1, outputs equal\n" in first
    assert "(as before)" not in first
    assert f"data   {stratal.home}\n" in first
    assert stratal.postgres == "stopped"
    _is_honest(first)

    head = stratal.head
    again = told(stratal)
    assert stratal.head == head
    assert again.count("(as before)") + again.count("(as\n        before)") == 11
    assert _trail(again) == _trail(first)


def test_the_demo_goes_on_after_ctrl_c_and_after_a_kill(stratal: Home) -> None:
    interrupted = stratal.start("demo")
    until(stratal.said, lambda said: "\n 6  Optimize" in said, timeout_s=READY_S)
    started = children(interrupted)
    os.killpg(interrupted.pid, signal.SIGINT)
    assert interrupted.wait(SOON_S) == 130
    wait_until_gone(started)
    assert stratal.said().endswith("Interrupted. Run it again: it goes on from there.\n")
    assert stratal.postgres == "stopped"

    killed = stratal.start("demo")
    until(stratal.said, lambda said: said.count("\n 6  Optimize") == 2, timeout_s=READY_S)
    started = children(killed)
    killed.kill()
    killed.wait()

    text = told(stratal)  # it waits for the service of the killed one to have gone
    wait_until_gone(started)
    assert text.count("demo created program") == 1
    assert text.count("to optimize version 1") == 1
    assert text.count("demo deployed version") == 1
    assert stratal.postgres == "stopped"


def test_the_demo_uses_the_service_that_runs(stratal: Home) -> None:
    serve = stratal.start("serve")
    stratal.wait_until_ready()
    done = stratal.call("demo", LM="local", PORT=1)
    assert done.returncode == 0, done.stderr
    assert " 1  Use the service that runs\n" in done.stdout
    assert "The service that runs has this model; stop it to use local.\n" in done.stdout
    assert "\n  go on  .venv/bin/stratal program show triage-" in done.stdout
    assert serve.is_running()
    assert stratal.is_ready()


def test_the_demo_takes_another_port_when_its_own_is_taken(stratal: Home) -> None:
    with socket.create_server(("127.0.0.1", stratal.port)):
        assert f"API  http://127.0.0.1:{stratal.port}," not in told(stratal)


@pytest.mark.parametrize(("typed", "status"), [("n\n", 0), ("", 1)])
def test_a_model_that_is_not_wanted_ends_the_demo(stratal: Home, typed: str, status: int) -> None:
    done = stratal.call("demo", given=typed, LM="local:qwen2.5-coder-0.5b")
    assert done.returncode == status
    assert "478 MB" in done.stdout
    assert "Nothing was downloaded." in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (stratal.home / "postgres").exists()


@pytest.mark.parametrize(
    ("model", "code"),
    [("scripted:/nowhere", "model.setting_invalid"), ("local:nothing", "model.setting_invalid"),
     ("openai/gpt-4o-mini", "model.key_missing")],
)  # fmt: skip
def test_a_model_that_cannot_be_used_is_refused_before_anything_starts(
    stratal: Home, model: str, code: str
) -> None:
    done = stratal.call("demo", LM=model)
    assert done.returncode == 1
    assert done.stderr.endswith(f"({code})\n")
    assert done.stderr.count("\n") == 1
    assert not (stratal.home / "postgres").exists()


def test_a_service_that_cannot_start_shows_why(stratal: Home) -> None:
    done = stratal.call("demo", DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 1
    assert "The service did not start. Its log ends:\n" in done.stderr
    assert "(database.unreachable)" in done.stderr
    assert "Traceback" not in done.stderr


def _is_honest(text: str) -> None:
    """The better version is live, and the first one if there was no gain."""
    said = " ".join(text.split())
    scores = re.search(r"version 1 scored ([\d.]+)% and version 2 ([\d.]+)%", said)
    assert scores is not None
    better = 2 if float(scores[2]) > float(scores[1]) else 1
    assert f"Execute the live version, {better} " in said
    assert ("Optimization brought no gain" in said) == (better == 1)


def _trail(text: str) -> str:
    """The audit trail that a demo told."""
    return text.partition("Read the audit trail\n")[2].partition("Add up")[0].rpartition("    ")[0]
