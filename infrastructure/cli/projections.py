"""``stratal projections``: how the read models are, and making them anew."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infrastructure.cli.connection import Json
from infrastructure.cli.output import errors, people, say, show_json, show_table

Name = Annotated[str, typer.Argument(help="Name of a projection.", metavar="NAME")]
OneOrAll = Annotated[
    str | None, typer.Argument(help="Name of a projection; all without it.", metavar="[NAME]")
]
Told = Callable[[int, int], None]
"""Told how far the work is: the position that was reached, and the one to be reached."""

Report = dict[str, Any]


class Office(Protocol):
    """What can be done with the projections of a database. Reports are ready to be JSON."""

    def names(self) -> Sequence[str]: ...
    def lags(self) -> Sequence[Report]: ...
    def verify(self, name: str, told: Told) -> Report: ...
    def rebuild(self, name: str, told: Told) -> Report: ...
    def replay(self, name: str) -> Report: ...


@dataclass(frozen=True, slots=True)
class ProjectionCommands:
    """The verbs of ``stratal projections`` on the database of the settings."""

    office: Callable[[], AbstractContextManager[Office]]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="The read models and their upkeep.")
        for verb in (self.list, self.lag, self.verify, self.rebuild, self.replay):
            verbs.command()(verb)
        return verbs

    def list(self, *, json: Json = False) -> None:
        """List the read models: version, state, parked events."""
        with self.office() as office:
            found = office.lags()
        if json:
            show_json({"items": found})
            return
        columns = ("name", "version", "state", "position", "parked")
        show_table(columns, [[each[column] for column in columns] for each in found])
        for each in found:
            if each["why"]:
                people.print(f"{each['name']}: {each['why']}", markup=False)

    def lag(self, *, json: Json = False) -> None:
        """Say how far each read model is behind the end of the log."""
        with self.office() as office:
            found = office.lags()
        if json:
            show_json({"items": found})
            return
        columns = ("name", "position", "head", "behind", "behind_s", "heartbeat_age_s")
        show_table(columns, [[each[column] for column in columns] for each in found])

    def verify(self, name: OneOrAll = None, *, json: Json = False) -> int:
        """Fold the log from the beginning and compare the rows; exit with 1 if any differ."""
        found: list[Report] = []
        with self.office() as office:
            for each in [name] if name else office.names():
                with _progress(f"verify {each}", shown=not json) as told:
                    found.append(office.verify(each, told))
                if not json:
                    _tell_verification(found[-1])
        if json:
            show_json({"items": found})
        return int(not all(each["is_well"] for each in found))

    def rebuild(self, name: Name, *, json: Json = False) -> None:
        """Build one anew beside the live tables, verify it, and switch to it; all else goes on."""
        with self.office() as office, _progress(f"rebuild {name}", shown=not json) as told:
            built = office.rebuild(name, told)
        if json:
            show_json(built)
            return
        say(
            f"{name} version {built['version']} was rebuilt up to position {built['position']}, "
            f"verified against {built['verified_against']}, and is live."
        )
        if built["differed"]:
            say(f"The tables before it differed in {', '.join(built['differed'])}.")

    def replay(self, name: Name, *, json: Json = False) -> int:
        """Fold its parked events again, in order; exit with 1 if some are parked still."""
        with self.office() as office:
            done = office.replay(name)
        if json:
            show_json(done)
        else:
            say(f"{done['folded']} parked events of {name} were folded, {done['parked']} remain.")
        return int(done["parked"] > 0)


def _tell_verification(found: Report) -> None:
    what = f"{found['name']} version {found['version']} at position {found['position']}"
    if found["is_well"]:
        say(f"{what} is what the log makes of it.")
        return
    if found["parked"]:
        say(f"{what} does without {found['parked']} parked events.")
    for each in found["differences"]:
        say(
            f"{what} differs in {each['table']}: {each['rows']} rows, "
            f"from the log {each['rows_of_fold']}."
        )
        for row in each["only_here"]:
            say(f"  only here: {row}")
        for row in each["only_in_fold"]:
            say(f"  only from the log: {row}")


@contextmanager
def _progress(title: str, *, shown: bool) -> Generator[Told, None, None]:
    """A bar with the time that remains, on stderr, where somebody may be looking."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not shown) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
