"""``stratal db``: the embedded Postgres of this home."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

import typer

from infrastructure.cli.connection import Json
from infrastructure.cli.output import say, show_json, show_pairs

Owner = Annotated[
    bool, typer.Option("--owner", help="That of the role which owns the tables and may do all.")
]


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
    @property
    def owner_url(self) -> str: ...


class Server(Protocol):
    """The embedded Postgres."""

    def start(self) -> str: ...
    def stop(self) -> bool: ...
    def status(self) -> Status: ...


@dataclass(frozen=True, slots=True)
class DatabaseCommands:
    """The verbs of ``stratal db``; *prepare* answers with the name of the service's role."""

    server: Callable[[], Server]
    prepare_tables: Callable[[], str]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="The Postgres of the service.")
        for verb in (self.start, self.stop, self.status, self.url, self.prepare):
            verbs.command()(verb)
        return verbs

    def start(self, *, json: Json = False) -> None:
        """Start the embedded one under STRATAL_HOME, or adopt it when it runs."""
        server = self.server()
        was_running = server.status().state == "running"
        server.start()
        url = server.status().url
        word = "runs already" if was_running else "was started"
        _tell(f"The embedded Postgres {word}: {url}", "running", url, as_json=json)

    def stop(self, *, json: Json = False) -> None:
        """Stop the embedded one; nothing acknowledged is lost."""
        server = self.server()
        word = "was stopped" if server.stop() else "was not running"
        _tell(f"The embedded Postgres {word}.", "stopped", server.status().url, as_json=json)

    def status(self, *, json: Json = False) -> None:
        """Say whether the embedded one runs, and where its data and log are."""
        status = self.server().status()
        pairs = {
            "state": status.state,
            "pid": status.pid,
            "data": str(status.data),
            "log": str(status.log),
            "url": status.url,
            "owner_url": status.owner_url,
        }
        show_json(pairs) if json else show_pairs(pairs)

    def url(self, *, owner: Owner = False, json: Json = False) -> None:
        """Print the address of the embedded one, for psql, pg_dump and STRATAL_DATABASE_URL."""
        status = self.server().status()
        url = status.owner_url if owner else status.url
        _tell(url, status.state, url, as_json=json)

    def prepare(self, *, json: Json = False) -> None:
        """Make or update the tables as their owner, and give the service's role its rights.

        Every start does this by itself where STRATAL_DATABASE_OWNER_URL is set; after this verb a
        service does without.
        """
        role = self.prepare_tables()
        if json:
            show_json({"state": "prepared", "role": role})
        else:
            say(f"The database is ready; {role} may add to the log and not change it.")


def _tell(sentence: str, state: str, url: str, *, as_json: bool) -> None:
    show_json({"state": state, "url": url}) if as_json else say(sentence)
