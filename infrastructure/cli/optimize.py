"""``stratal optimize``: start an optimizer and follow it to its end."""

import json as json_module
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import sleep
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from infrastructure.cli.output import people, show_json
from infrastructure.client import Stratal

EVERY_S = 0.5
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class OptimizeCommand:
    """Asks the API that *connect* gives."""

    connect: Callable[[], Stratal]

    def __call__(
        self,
        program: Annotated[str, typer.Argument(help="Id or name of a program.")],
        dataset: Annotated[str, typer.Argument(help="Id or name; its train part is learned from.")],
        *,
        metric: Annotated[str, typer.Option(help="What is good.")] = "exact_match",
        optimizer: Annotated[
            str | None, typer.Option(help="The program's own if left out.")
        ] = None,
        config: Annotated[str, typer.Option(help="Parameters of the optimizer, as JSON.")] = "{}",
        follow: Annotated[bool, typer.Option(help="Stay until it ends.")] = True,
        json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Look for a better version of a program; what is found becomes its next version."""
        client = self.connect()
        body = {
            "dataset": dataset,
            "metric": metric,
            "optimizer": optimizer,
            "config": _parameters(config),
        }
        started = client.post(f"/v1/programs/{program}/compile", body)
        ended = self._followed(client, started["id"], json) if follow else started
        if json:
            show_json(ended)
        elif follow:
            people.print(told(ended))
        else:
            people.print(f"Started optimization {started['id']}.")
        if follow and ended["status"] != "completed":
            raise typer.Exit(1)

    def _followed(self, client: Stratal, id: str, quiet: bool) -> dict[str, Any]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, disable=quiet, transient=True) as progress:
            task = progress.add_task("waiting for a worker", total=None)
            state: dict[str, Any] = {}
            for state in states(client, id):
                progress.update(task, description=told(state))
        return state


def states(client: Stratal, id: str) -> Iterator[dict[str, Any]]:
    """The optimization again and again, until it has ended and its version is there."""
    while True:
        state = client.optimizations.get(id)
        yield state
        is_adopted = state["adopted_version"] is not None
        if state["status"] in ENDED and (is_adopted or state["status"] != "completed"):
            return
        sleep(EVERY_S)


def told(state: Mapping[str, Any]) -> str:
    """How far an optimization is, as a sentence."""
    best = "" if state["best_score"] is None else f", best {state['best_score']:.3f}"
    version = f": version {state['adopted_version']}" if state["adopted_version"] else ""
    failure = f": {state['failure']['message']}" if state["failure"] else ""
    calls = state["spend"]["calls"]
    return (
        f"{state['optimizer']} {state['status']}{version}{failure} "
        f"({state['trials']} trials{best}, {calls} model calls)"
    )


def _parameters(text: str) -> object:
    try:
        return json_module.loads(text)
    except json_module.JSONDecodeError as error:
        raise typer.BadParameter(f"--config is not JSON: {error}") from None
