"""``stratal audit``: what happened, as sentences."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.connection import Connect, Json
from infrastructure.cli.output import people, show_json


@dataclass(frozen=True, slots=True)
class AuditCommand:
    """Reads the audit trail."""

    connect: Connect

    def __call__(
        self,
        *,
        actor: Annotated[str | None, typer.Option(help="Only what they did.")] = None,
        of: Annotated[str | None, typer.Option(help="Only one aggregate, by id.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
        json: Json = False,
    ) -> None:
        """Tell what happened, a sentence an event, newest first."""
        found = self.connect().get("/v1/audit", actor=actor, aggregate_id=of, limit=limit)
        if json:
            show_json(found)
            return
        for each in found["items"]:
            people.print(f"[dim]{each['position']:>6}[/dim]  ", end="")
            people.print(each["sentence"], markup=False)
