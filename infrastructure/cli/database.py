"""``stratal db``: the embedded Postgres of this home."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import typer

from infrastructure.cli.connection import Json
from infrastructure.cli.output import say, show_json, show_pairs


class Status(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def data(self) -> object: ...
    @property
    def log(self) -> object: ...
    @property
    def url(self) -> str: ...


class Server(Protocol):
    """The embedded Postgres."""

    def start(self) -> str: ...
    def stop(self) -> bool: ...
    def status(self) -> Status: ...


@dataclass(frozen=True, slots=True)
class DatabaseCommands:
    """The verbs of ``stratal db`` on the server of the settings' home."""

    server: Callable[[], Server]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="The embedded Postgres under STRATAL_HOME.")
        for verb in (self.start, self.stop, self.status, self.url):
            verbs.command()(verb)
        return verbs

    def start(self, *, json: Json = False) -> None:
        """Start it, or adopt it when it runs."""
        server = self.server()
        was_running = server.status().state == "running"
        url = server.start()
        word = "runs already" if was_running else "was started"
        _tell(f"The embedded Postgres {word}: {url}", "running", url, as_json=json)

    def stop(self, *, json: Json = False) -> None:
        """Stop it; nothing acknowledged is lost."""
        server = self.server()
        word = "was stopped" if server.stop() else "was not running"
        _tell(f"The embedded Postgres {word}.", "stopped", server.status().url, as_json=json)

    def status(self, *, json: Json = False) -> None:
        """Say whether it runs, and where its data and log are."""
        status = self.server().status()
        pairs = {
            "state": status.state,
            "pid": status.pid,
            "data": str(status.data),
            "log": str(status.log),
            "url": status.url,
        }
        show_json(pairs) if json else show_pairs(pairs)

    def url(self, *, json: Json = False) -> None:
        """Print its address, for psql and STRATAL_DATABASE_URL."""
        status = self.server().status()
        _tell(status.url, status.state, status.url, as_json=json)


def _tell(sentence: str, state: str, url: str, *, as_json: bool) -> None:
    show_json({"state": state, "url": url}) if as_json else say(sentence)
