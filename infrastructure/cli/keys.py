"""``stratal key``: who may do what, where access is by keys."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import typer

from infrastructure.cli.connection import Connect, Json
from infrastructure.cli.output import moment, say, show_json, show_table

Name = Annotated[str, typer.Argument(help="Who acts with it, as the trail tells it.")]
KeyId = Annotated[str, typer.Argument(help="Id of a key.", metavar="KEY_ID")]
Roles = Annotated[
    list[str],
    typer.Option("--role", help="viewer, ml_user, ml_engineer, auditor or admin; repeatable."),
]
Days = Annotated[int, typer.Option(help="How long it is good: 1 to 365 days.")]


class FirstKey(NamedTuple):
    """A key that was issued at the database."""

    id: str
    key: str


First = Callable[[str, str, int], FirstKey]
"""Issues a key of an admin: to a name, of a tenant, good for so many days."""


@dataclass(frozen=True, slots=True)
class KeyCommands:
    """The verbs of ``stratal key``; *first* works at the database of the settings."""

    connect: Connect
    first_key: First

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Who may do what, by key.")
        for verb in (self.first, self.issue, self.list, self.revoke):
            verbs.command()(verb)
        return verbs

    def first(
        self,
        name: Name,
        *,
        tenant: Annotated[str, typer.Option(help="Whose admin it is.")] = "default",
        days: Days = 90,
        json: Json = False,
    ) -> None:
        """Issue the key of an admin at the database itself: the first one, or if all are lost."""
        made = self.first_key(name, tenant, days)
        _tell(made.id, made.key, json=json)

    def issue(self, name: Name, *, role: Roles, days: Days = 90, json: Json = False) -> None:
        """Issue a key and show its text, this once."""
        made = self.connect().keys.issue(name, role, expires_in_days=days)
        _tell(made["id"], made["key"], json=json)

    def list(
        self,
        *,
        revoked: Annotated[bool, typer.Option("--revoked", help="Those taken back.")] = False,
        json: Json = False,
    ) -> None:
        """List the keys of the tenant, newest first."""
        found = [*self.connect().keys.list(revoked=revoked)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (
                    each["name"],
                    " ".join(each["roles"]),
                    moment(each["revoked_at"] if revoked else each["expires_at"]),
                    each["api_key_id"],
                )
                for each in found
            ]
            show_table(("name", "roles", "revoked" if revoked else "expires", "id"), rows)
        else:
            say("There are no keys. Issue one with `stratal key issue`.")

    def revoke(
        self,
        key_id: KeyId,
        *,
        reason: Annotated[str | None, typer.Option(help="Why, for the trail.")] = None,
        json: Json = False,
    ) -> None:
        """Take a key back for good: within 5 s it opens nothing."""
        done = self.connect().keys.revoke(key_id, reason)
        if json:
            show_json(done)
        else:
            say(f"Key {key_id} is revoked.")


def _tell(id: str, key: str, *, json: bool) -> None:
    if json:
        show_json({"id": id, "key": key})
    else:
        say(f"{key}\n\nThis is the key {id}. Keep it now: it is never shown again.")
