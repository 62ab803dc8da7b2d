"""``stratal program diff`` and ``stratal signature diff``: what changed, and what it breaks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from rich.markup import escape

from infrastructure.cli.connection import Connect, Data, InputIsUnusable, Json, at
from infrastructure.cli.output import people, say, show_json

_COLOURS: Final = {"breaking": "red", "compatible": "yellow", "cosmetic": "dim"}
_WIDTH: Final = max(map(len, _COLOURS))


@dataclass(frozen=True, slots=True)
class DiffCommands:
    """The verbs that compare."""

    connect: Connect

    def versions(
        self,
        before: Annotated[str, typer.Argument(help="The older version, as triage@1.")],
        after: Annotated[
            str | None, typer.Argument(help="The newer one, as triage@2; the latest if left out.")
        ] = None,
        *,
        json: Json = False,
    ) -> None:
        """Compare two versions of a program: what changed, and what it breaks."""
        client = self.connect()
        program, old = _version(before)
        other, new = (program, None) if after is None else _version(after)
        if other != program:
            raise InputIsUnusable(
                f"{program} and {other} are two programs. Compare versions of one of them."
            )
        latest = client.programs.get(program)["latest_version"]
        path = at("programs", program, f"versions/{old or latest}/diff/{new or latest}")
        found = client.get(path)
        if json:
            show_json(found)
            return
        show_changes(found["changes"])
        breaks = found["breaks"]
        for each in (*breaks["datasets"], *breaks["evaluations"]):
            people.print(f"[red]{'breaks':<{_WIDTH}}[/red]  {escape(each['sentence'])}")

    def signatures(
        self,
        before: Annotated[str, typer.Argument(help="A signature, or the name of one (name@1).")],
        after: Annotated[str, typer.Argument(help="The newer one.")],
        *,
        json: Json = False,
    ) -> None:
        """Compare two signatures: what changed, and how much that matters to callers."""
        body = {"before": self._written(before), "after": self._written(after)}
        found = self.connect().post("/v1/signatures/diff", body)
        show_json(found) if json else show_changes(found["changes"])

    def _written(self, given: str) -> Data:
        """*given* as a signature: it is its text, or a name with perhaps a revision."""
        if "->" in given:
            return {"syntax": given}
        name, revision = _version(given)
        client = self.connect()
        if revision is None:
            return {"spec": client.signatures.get(name)["spec"]}
        for each in client.signatures.history(name, mode="snapshot"):
            if each["snapshot"]["revision"] == revision:
                return {"spec": each["snapshot"]["spec"]}
        raise InputIsUnusable(f"The signature {name} has no revision {revision}.")


def show_changes(changes: Iterable[Data]) -> None:
    """Print a line for each change, the gravest first, and beneath it how a text changed."""
    listed = list(changes)
    if not listed:
        say("Nothing changed.")
    for severity, colour in _COLOURS.items():
        for each in listed:
            if each["severity"] == severity:
                told = f"[{colour}]{severity:<{_WIDTH}}[/{colour}]  {escape(each['sentence'])}"
                people.print(told)
                for line in each["diff"]:
                    people.print(f"{'':<{_WIDTH}}    {escape(line)}")


def _version(given: str) -> tuple[str, int | None]:
    name, _, number = given.rpartition("@")
    if not name:
        return given, None
    if not number.isdecimal():
        raise InputIsUnusable(f"{given!r} names no version. Write one as {name}@1.")
    return name, int(number)
