"""``stratal demo``: starts the service if none runs, tells the story, stops what it started."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer

from application.tracing import NoTracing
from infrastructure.cli.models import agrees
from infrastructure.client import Stratal, StratalProblem
from infrastructure.demo.story import DemoFailed, Story
from infrastructure.demo.task import task_for
from infrastructure.demo.telling import Teller
from infrastructure.main.address import PortIsTaken, free_port, url_of
from infrastructure.main.owner import Serving, is_owned, serving
from infrastructure.models.fetch import announcement, download_named, fetch
from infrastructure.models.weights import DOWNLOADS, SMOLLM2, fetched_path, located
from infrastructure.settings import Settings
from infrastructure.supervision import end_with_parent

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
LOOK_S = 0.1
INTERRUPTED = 130


def demo(settings: Settings, *, agreed: bool) -> None:
    """Tell the whole story on ``settings.lm``, or on the model of the service that runs.

    Raises:
        DemoFailed: The service did not start, or a run ended badly.
        ModelError, ModelNotWanted: The model cannot be used, or nobody agreed to a download.
        HomeIsUnusable: Nothing can be kept in the home.
    """
    teller = Teller()
    began_s = time.monotonic()
    try:
        with (
            _service(settings, teller, agreed=agreed) as service,
            Stratal(service.url, actor="demo", key=settings.key_text) as api,
        ):
            story = Story(api, task_for(service.lm), service.lm, teller)
            story.tell()
    except KeyboardInterrupt:
        teller.console.print("Interrupted. Run it again: it goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    teller.console.print(f"\n[bold]Done[/bold] in {time.monotonic() - began_s:.0f} s.", end="")
    _farewell(settings, service, story.program, teller)


@contextmanager
def _service(settings: Settings, teller: Teller, *, agreed: bool) -> Generator[Serving, None, None]:
    """The service that runs on this home, or one for the block."""
    running = _running(settings, teller)
    _introduce(running.lm if running else settings.lm, settings, teller)
    if running is not None:
        with teller.step("Use the service that runs"):
            teller.say(f"API  {running.url}")
        yield running
        return
    _model_is_there(settings, agreed=agreed)
    settings = settings.model_copy(update={"port": _port(settings)})
    service = Serving(url_of(settings.host, settings.port), settings.lm)
    log = settings.home / "logs" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = _start(settings, output.fileno())
    try:
        with teller.step("Start an embedded Postgres and the service"):
            _wait_until_ready(process, service.url, log)
            teller.say(f"API  {service.url}, with a worker and a projector")
            teller.say(f"log  {log}")
        yield service
        with teller.step("Stop what was started"):
            _stop(process)
    finally:
        _stop(process)


def _running(settings: Settings, teller: Teller) -> Serving | None:
    """The service of this home once it answers; one that stops is waited for."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while is_owned(settings.home):
        found = serving(settings.home)
        if found is not None and _is_ready(found.url):
            return found
        if time.monotonic() > deadline_s:
            raise DemoFailed(
                f"A service owns {settings.home} and does not answer. "
                "Stop it (`stratal serve` shows why), then run the demo again."
            )
        teller.now("another `stratal serve` of this home starts or stops")
        time.sleep(LOOK_S)
    return None


def _introduce(lm: str, settings: Settings, teller: Teller) -> None:
    say = teller.console.print
    say(f"[bold]Stratal[/bold]  model {lm}, home {settings.home}")
    if lm != settings.lm:
        say(f"The service that runs has this model; stop it to use {settings.lm}.")


def _model_is_there(settings: Settings, *, agreed: bool) -> None:
    """Refuse a model that cannot be used, before anything starts; offer one that can be fetched."""
    kind, _, name = settings.lm.partition(":")
    if kind != "local":
        from infrastructure.runtime import configured_engine  # noqa: PLC0415 - it imports DSPy

        configured_engine(settings, NoTracing())
        return
    if name in DOWNLOADS and not fetched_path(name, settings.home).is_file():
        download = download_named(name)
        typer.echo(announcement(download, settings.home))
        if not agrees(yes=agreed):
            typer.echo("Nothing was downloaded. `make demo` runs on a small model that is there.")
            raise typer.Exit
        fetch(download, settings.home)
    located(name or SMOLLM2, settings.home)


def _port(settings: Settings) -> int:
    """The port of the settings, or any other when it is taken: the demo asks no questions."""
    try:
        return free_port(settings.host, settings.port)
    except PortIsTaken:
        return free_port(settings.host, 0)


def _start(settings: Settings, output: int) -> subprocess.Popen[bytes]:
    """Start a service in a session of its own: a Ctrl-C here reaches it through us, once."""
    return subprocess.Popen(
        [sys.executable, "-m", "infrastructure.main.cli", "serve"],
        env=os.environ | settings.environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - runs one prctl, no Python locks
    )


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > deadline_s:
            last = log.read_text(errors="replace").splitlines()[-5:]
            raise DemoFailed("The service did not start. Its log ends:\n" + "\n".join(last))
        time.sleep(LOOK_S)


def _is_ready(url: str) -> bool:
    try:
        with Stratal(url, timeout_s=5) as api:
            api.readiness()
    except StratalProblem:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the service and its Postgres in order. A second call does nothing."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
            return
        process.kill()
        process.wait()


def _farewell(settings: Settings, service: Serving, program: str, teller: Teller) -> None:
    is_local = service.lm.partition(":")[0] in {"local", "scripted"}
    url, first = service.url, ""
    if serving(settings.home) is None:
        url, first = url_of(settings.host, settings.port), ".venv/bin/stratal serve, then "
    lines = [
        " Nothing was asked of any provider." if is_local else "",
        f"  go on  {first}.venv/bin/stratal program show {program}",
        f"  API    {url}, its pages on {url}/docs (while the service runs)",
        f"  data   {settings.home}",
    ]
    teller.console.print("\n".join(lines), markup=False)
