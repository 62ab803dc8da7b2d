"""``stratal budget``: what runs may cost."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.connection import Connect, Json
from infrastructure.cli.output import say, show_json, show_table

Usd = Annotated[str, typer.Argument(help="US dollars, such as 12.50.", metavar="USD")]
BudgetId = Annotated[str, typer.Argument(help="Id of a budget.", metavar="BUDGET_ID")]
Reason = Annotated[str | None, typer.Option(help="Why; it is on record.")]


@dataclass(frozen=True, slots=True)
class BudgetCommands:
    """The verbs of ``stratal budget``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What runs may cost.")
        for verb in (self.open, self.grant, self.list, self.close):
            verbs.command()(verb)
        return verbs

    def open(
        self,
        hold: Annotated[str, typer.Argument(help="US dollars that each run sets aside.")],
        *,
        program: Annotated[str | None, typer.Option(help="Only of a program: id or name.")] = None,
        actor: Annotated[str | None, typer.Option(help="Only of an actor.")] = None,
        alert_below: Annotated[
            str | None, typer.Option(help="Tell when less than that is left.")
        ] = None,
    ) -> None:
        """Open a budget for all runs, or those of a program or an actor. It is empty at first."""
        api = self.connect()
        cover: dict[str, object] | None = None
        if program is not None and actor is not None:
            raise typer.BadParameter("Name a program or an actor: each has a budget of its own.")
        if program is not None:
            cover = {"kind": "program", "of": api.programs.get(program)["program_id"]}
        elif actor is not None:
            cover = {"kind": "actor", "of": actor}
        made = api.budgets.open(hold, cover=cover, alert_below_usd=alert_below)
        say(f"Opened budget {made['id']}. Now: stratal budget grant {made['id']} USD")

    def grant(self, budget_id: BudgetId, usd: Usd, *, reason: Reason = None) -> None:
        """Put more into a budget."""
        api = self.connect()
        api.budgets.grant(budget_id, usd, reason)
        say(f"{api.budgets.get(budget_id)['left_usd']} USD are left.")

    def list(self, *, json: Json = False) -> None:
        """See how all budgets stand."""
        found = self.connect().budgets.list()
        if json:
            show_json(found)
        elif found:
            columns = ("left", "granted", "held", "charged", "overdrawn")
            rows = [
                (
                    _covers(each["cover"]) + (" (closed)" if each["closed_at"] else ""),
                    *(each[f"{column}_usd"] for column in columns),
                    each["budget_id"],
                )
                for each in found
            ]
            show_table(("covers", *columns, "id"), rows)
        else:
            say("There are no budgets: runs cost what they cost. See stratal budget open --help.")

    def close(self, budget_id: BudgetId, *, reason: Reason = None) -> None:
        """Have a budget stop nothing any more, for good."""
        self.connect().budgets.close(budget_id, reason)
        say(f"Closed budget {budget_id}.")


def _covers(cover: dict[str, object]) -> str:
    return "all runs" if cover["of"] is None else f"{cover['kind']} {cover['of']}"
