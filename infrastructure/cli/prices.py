"""``stratal price`` and ``stratal costs``: what models cost, and what their calls did."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from infrastructure.cli.connection import AsOf, Connect, Data, Json
from infrastructure.cli.output import moment, say, show_json, show_table
from infrastructure.client import Stratal

Model = Annotated[str, typer.Argument(help="As in a trace, such as openai/gpt-4o-mini.")]
Since = Annotated[
    str | None,
    typer.Option("--from", help="Calls from then on, such as 2026-11-15T00:00:00Z; else from now."),
]
Reason = Annotated[str | None, typer.Option(help="Why; it is on record.")]


class By(StrEnum):
    RUN = "run"
    PROGRAM = "program"
    MODEL = "model"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class PriceCommands:
    """The verbs of ``stratal price``, and ``stratal costs``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What models cost.")
        for verb in (self.set, self.list, self.withdraw):
            verbs.command()(verb)
        return verbs

    def set(
        self,
        model: Model,
        input: Annotated[str, typer.Argument(help="US dollars for a million tokens in.")],
        output: Annotated[str, typer.Argument(help="US dollars for a million tokens out.")],
        *,
        cached_input: Annotated[
            str | None, typer.Option(help="The same for those read from the provider's cache.")
        ] = None,
        reasoning: Annotated[str | None, typer.Option(help="The same for reasoning.")] = None,
        since: Since = None,
        reason: Reason = None,
    ) -> None:
        """Set what calls of a model cost, from a moment on."""
        self.connect().prices.set(
            model,
            input,
            output,
            cached_input_usd=cached_input,
            reasoning_usd=reasoning,
            valid_from=since,
            reason=reason,
        )
        say(f"{model} costs {input} USD in and {output} USD out a million, {_from(since)}.")

    def withdraw(self, model: Model, *, since: Since = None, reason: Reason = None) -> None:
        """Take the price of a model out of the book, from a moment on."""
        self.connect().prices.withdraw(model, valid_from=since, reason=reason)
        say(f"The book has no price of {model}, {_from(since)}.")

    def list(
        self,
        *,
        model: Annotated[str | None, typer.Option(help="Only of a model.")] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """Show the price book: US dollars for a million tokens, from when on."""
        found = [*self.connect().prices.list(model=model, as_of=as_of)]
        if json:
            show_json(found)
        elif found:
            kinds = ("input", "cached_input", "output", "reasoning")
            rows = [
                (
                    each["model"],
                    moment(each["valid_from"]),
                    *(each[f"{kind}_usd"] for kind in kinds),
                )
                for each in found
            ]
            show_table(("model", "from", "in", "cached", "out", "reasoning"), rows)
        else:
            say("The book is empty: calls cost what their providers are known to charge.")

    def costs(
        self,
        *,
        by: Annotated[By, typer.Option(help="What each line is about.")] = By.MODEL,
        since: Annotated[str | None, typer.Option(help="Answered then or later.")] = None,
        until: Annotated[str | None, typer.Option(help="Answered before then.")] = None,
        program: Annotated[str | None, typer.Option(help="Only of a program: id or name.")] = None,
        model: Annotated[str | None, typer.Option(help="Only of a model.")] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """Show what calls cost: as billed, and by the price book. + marks what is partial."""
        api = self.connect()
        program_id = None if program is None else api.programs.get(program)["program_id"]
        found = api.costs(
            by.value, since=since, until=until, program_id=program_id, model=model, as_of=as_of
        )
        if json:
            show_json(found)
            return
        key = {By.RUN: "run_id", By.PROGRAM: "program_id"}.get(by, by.value)
        rows = [(each[key], *_sums(each)) for each in found["items"]]
        rows.append(("all of them", *_sums(found["total"])))
        show_table((by.value, "calls", "billed", "by the book", "not billed", "unpriced"), rows)
        if found["total"]["billed_unpriced"]:
            _warn(api, since=since, until=until, program_id=program_id, model=model, as_of=as_of)


def _warn(api: Stratal, **filters: object) -> None:
    """Name the models whose calls nobody could bill: what they cost is missing in every sum."""
    for each in api.costs("model", **filters)["items"]:
        if each["billed_unpriced"]:
            told = f"{each['billed_unpriced']} of {each['calls']} calls of {each['model']}"
            say(
                f"Nobody knows what {told} cost. Set its price:"
                f" stratal price set {each['model']} INPUT OUTPUT"
            )


def _sums(row: Data) -> tuple[object, ...]:
    counts = (row["billed_unpriced"], row["repriced_unpriced"])
    return row["calls"], _usd(row, "billed"), _usd(row, "repriced"), *counts


def _usd(row: Data, which: str) -> str | None:
    usd = row[f"{which}_usd"]
    return usd if usd is None or not row[f"{which}_is_partial"] else f"{usd} +"


def _from(since: str | None) -> str:
    return "from now on" if since is None else f"from {since} on"
