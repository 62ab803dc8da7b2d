"""``stratal demo``: starts the service if none runs, tells the story, stops what it started."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import typer

from infrastructure.client import Stratal, StratalProblem
from infrastructure.demo.story import DemoFailed, Story
from infrastructure.demo.task import TASK
from infrastructure.demo.telling import Teller
from infrastructure.models.fetch import announcement, download_named, fetch
from infrastructure.models.weights import DOWNLOADS, fetched_path
from infrastructure.settings import Settings

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


def demo(settings: Settings, *, agreed: bool) -> None:
    """Tell the whole story on ``settings.lm``.

    Raises:
        DemoFailed: The service did not start, or a run ended badly.
        ModelError: The model is missing, and was not to be downloaded.
    """
    teller = Teller()
    began_s = time.monotonic()
    teller.console.print(f"[bold]Stratal[/bold]  model {settings.lm}, home {settings.home}")
    _offer_download(settings, agreed=agreed)
    with _service(settings, teller) as url, Stratal(url, actor="demo") as api:
        Story(api, TASK, settings.lm, teller).tell()
    _farewell(settings, url, teller, time.monotonic() - began_s)


def _offer_download(settings: Settings, *, agreed: bool) -> None:
    name = settings.lm.removeprefix("local:")
    if name not in DOWNLOADS or fetched_path(name, settings.home).is_file():
        return
    download = download_named(name)
    typer.echo(announcement(download, settings.home))
    if agreed or typer.confirm("Download it?"):
        fetch(download, settings.home)


@contextmanager
def _service(settings: Settings, teller: Teller) -> Generator[str, None, None]:
    """The address of the service: the one that runs on this home, or one for the block."""
    url = f"http://{settings.host}:{settings.port}"
    if _answers(url):
        with teller.step("Use the service that runs"):
            teller.say(f"API {url}")
        yield url
        return
    settings = settings.model_copy(update={"port": _free_port(settings)})
    url = f"http://{settings.host}:{settings.port}"
    log = settings.home / "logs" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        with teller.step("Start an embedded Postgres and the service"):
            process = _start(settings, output.fileno())
            _wait_until_ready(process, url, log)
            teller.say(f"API {url}, with a worker and a projector; log {log}")
        try:
            yield url
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def _start(settings: Settings, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "infrastructure.main.cli", "serve"],
        env=os.environ | settings.environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not _answers(url, ready=True):
        if process.poll() is not None or time.monotonic() > deadline_s:
            process.terminate()
            last = log.read_text(errors="replace").splitlines()[-5:]
            raise DemoFailed("The service did not start. Its log ends:\n" + "\n".join(last))
        time.sleep(0.1)


def _answers(url: str, *, ready: bool = False) -> bool:
    try:
        with Stratal(url, timeout_s=5) as api:
            api.readiness() if ready else api.health()
    except StratalProblem:
        return False
    return True


def _free_port(settings: Settings) -> int:
    """The port of the settings, or any other when it is taken: the demo asks no questions."""
    for port in (settings.port, 0):
        try:
            with socket.create_server((settings.host, port)) as probe:
                found: int = probe.getsockname()[1]
                return found
        except OSError:
            logging.getLogger(__name__).info("Port %s is taken.", port)
    raise DemoFailed(f"No port is free on {settings.host}. Set STRATAL_HOST.")


def _farewell(settings: Settings, url: str, teller: Teller, took_s: float) -> None:
    say = teller.console.print
    say(f"\n[bold]Done[/bold] in {took_s:.0f} s. Nothing was asked of any provider.")
    say("  go on      .venv/bin/stratal serve, then .venv/bin/stratal program run …")
    say(f"  API, docs  {url}/docs (while the service runs)")
    say(f"  data       {settings.home}")
