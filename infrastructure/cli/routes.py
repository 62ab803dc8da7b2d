"""``stratal route``: names for several models, one of which is chosen for each run."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer

from infrastructure.cli.connection import Connect, Data, Json
from infrastructure.cli.output import say, show_json, show_table

RouteName = Annotated[str, typer.Argument(help="Id or name of a route.", metavar="ROUTE")]
Why = Annotated[str | None, typer.Option("--reason", help="Why.")]
Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        help="A candidate, the preferred one first: PROVIDER/MODEL and, after commas, what holds"
        " for it: weight=3, input_size_max=BYTES, cost_limit_usd=USD, context_required=FIELD.",
    ),
]
_NUMBERS: Final = ("weight", "input_size_max")
_CONDITIONS: Final = (*_NUMBERS, "cost_limit_usd", "context_required")


class Strategy(StrEnum):
    PRIMARY = "primary"
    FALLBACK = "fallback"
    LOAD_BALANCED = "load_balanced"
    COST_OPTIMIZED = "cost_optimized"
    LATENCY_OPTIMIZED = "latency_optimized"


How = Annotated[Strategy, typer.Argument(help="How one is chosen of those whose conditions hold.")]


@dataclass(frozen=True, slots=True)
class RouteCommands:
    """The verbs of ``stratal route``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Which of several models answers a run.")
        for verb in (self.add, self.list, self.show, self.change, self.disable, self.enable):
            verbs.command()(verb)
        return verbs

    def add(
        self,
        name: Annotated[str, typer.Argument(help="Its name.")],
        strategy: How,
        *,
        model: Models,
        json: Json = False,
    ) -> None:
        """Create a route."""
        made = self.connect().routes.create(
            name, strategy.value, [candidate(each) for each in model]
        )
        if json:
            show_json(made)
            return
        say(f"Created {name} ({made['id']}). To use it: --model 'route:{name}'")

    def list(self, *, json: Json = False) -> None:
        """List the routes, newest first."""
        found = [*self.connect().routes.list()]
        if json:
            show_json(found)
        elif found:
            rows = [
                (each["name"], each["strategy"], _models(each), _status(each)) for each in found
            ]
            show_table(("name", "strategy", "models", "status"), rows)
        else:
            say("There are no routes: a run is on the model that is named.")

    def show(self, route: RouteName, *, json: Json = False) -> None:
        """Show a route with the conditions of its candidates."""
        found = self.connect().routes.get(route)
        if json:
            show_json(found)
            return
        say(f"{found['name']}: {found['strategy']}, {_status(found)}")
        columns = ("model", *_CONDITIONS)
        show_table(columns, [tuple(each[it] for it in columns) for each in found["candidates"]])

    def change(self, route: RouteName, strategy: How, *, model: Models) -> None:
        """Choose otherwise from now on; name everything, also what stays."""
        self.connect().routes.change(route, strategy.value, [candidate(each) for each in model])
        say(f"{route} chooses {strategy.value} among {len(model)} model(s) from now on.")

    def disable(self, route: RouteName, *, reason: Why = None) -> None:
        """Refuse runs that name it until it is enabled."""
        self.connect().routes.disable(route, reason)
        say(f"Disabled {route}.")

    def enable(self, route: RouteName) -> None:
        """Let runs name it again."""
        self.connect().routes.enable(route)
        say(f"Enabled {route}.")


def candidate(text: str) -> dict[str, object]:
    """The candidate that *text* names, such as ``mini/gpt-4o-mini,weight=3``."""
    model, *conditions = text.split(",")
    told: dict[str, object] = {"model": model.strip()}
    for each in conditions:
        key, _, value = (part.strip() for part in each.partition("="))
        if key not in _CONDITIONS or not value:
            message = f"{each.strip()} is no condition. Write one of {', '.join(_CONDITIONS)} =…"
            raise typer.BadParameter(message, param_hint="--model")
        told[key] = int(value) if key in _NUMBERS and value.isdecimal() else value
    return told


def _models(found: Data) -> str:
    return ", ".join(each["model"] for each in found["candidates"])


def _status(found: Data) -> str:
    return "disabled" if found["disabled_at"] else "enabled"
