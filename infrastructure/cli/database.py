"""``stratal db``: the embedded Postgres of this home."""

from dataclasses import dataclass
from typing import Annotated, Protocol

import typer

from infrastructure.cli.output import people, show_json, show_pairs

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    """The verbs of ``stratal db`` on *server*."""

    server: Server

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="The embedded Postgres under STRATAL_HOME.")
        for verb in (self.start, self.stop, self.status, self.url):
            verbs.command()(verb)
        return verbs

    def start(self, *, json: Json = False) -> None:
        """Start it, or adopt it when it runs."""
        self._said(self.server.start(), "running", json)

    def stop(self, *, json: Json = False) -> None:
        """Stop it; nothing acknowledged is lost."""
        was_running = self.server.stop()
        self._said("stopped" if was_running else "It was not running.", "stopped", json)

    def status(self, *, json: Json = False) -> None:
        """Say whether it runs, and where its data and log are."""
        status = self.server.status()
        pairs = {
            "state": status.state,
            "pid": status.pid,
            "data": str(status.data),
            "log": str(status.log),
            "url": status.url,
        }
        show_json(dict(pairs)) if json else show_pairs(pairs)

    def url(self, *, json: Json = False) -> None:
        """Print its address, for psql and STRATAL_DATABASE_URL."""
        self._said(self.server.status().url, self.server.status().state, json)

    @staticmethod
    def _said(sentence: str, state: str, as_json: bool) -> None:
        show_json({"state": state, "said": sentence}) if as_json else people.print(sentence)
