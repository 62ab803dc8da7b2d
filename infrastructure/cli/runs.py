"""``stratal evaluate`` and ``stratal optimize``: start a run in the background and follow it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import sleep
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from infrastructure.cli.connection import Connect, Data, Json, json_object
from infrastructure.cli.output import errors, figure, people, say, show_json
from infrastructure.client import Stratal

EVERY_S = 0.5
ENDED = frozenset({"completed", "failed", "cancelled"})

Program = Annotated[str, typer.Argument(help="Id or name of a program.")]
Metric = Annotated[str, typer.Option(help="What is good.")]
Follow = Annotated[bool, typer.Option(help="Stay until it ends.")]


@dataclass(frozen=True, slots=True)
class RunCommands:
    """The verbs whose work goes on in a worker."""

    connect: Connect

    def evaluate(
        self,
        program: Program,
        dataset: Annotated[str, typer.Argument(help="Id or name.")],
        *,
        metric: Metric = "exact_match",
        split: Annotated[str, typer.Option(help="heldout or train.")] = "heldout",
        version: Annotated[
            int | None, typer.Option(help="The deployed one if left out, or else the latest.")
        ] = None,
        follow: Follow = True,
        json: Json = False,
    ) -> None:
        """Score a version of a program; the score can be evidence for its deployment."""
        client = self.connect()
        started = client.programs.evaluate(
            program, dataset, metric, split=split, program_version=version
        )
        self._carry_on(EVALUATION, client, started, follow=follow, as_json=json)

    def optimize(
        self,
        program: Program,
        dataset: Annotated[str, typer.Argument(help="Id or name; its train part is learned from.")],
        *,
        metric: Metric = "exact_match",
        optimizer: Annotated[
            str | None, typer.Option(help="The program's own if left out.")
        ] = None,
        config: Annotated[str, typer.Option(help="Parameters of the optimizer, as JSON.")] = "{}",
        adopt: Annotated[
            str, typer.Option(help="auto, or approval: see stratal proposal.")
        ] = "auto",
        follow: Follow = True,
        json: Json = False,
    ) -> None:
        """Look for a better version of a program; what is found becomes its next version.

        With --adopt approval it is proposed: the program stays as it is until somebody approves.
        """
        client = self.connect()
        started = client.programs.compile(
            program,
            dataset,
            metric,
            optimizer=optimizer,
            config=json_object("--config", config),
            adopt=adopt,
        )
        self._carry_on(OPTIMIZATION, client, started, follow=follow, as_json=json)

    @staticmethod
    def _carry_on(
        kind: "Kind", client: Stratal, started: Data, *, follow: bool, as_json: bool
    ) -> None:
        """Follow to the end if that is wanted, and say how it went."""
        if not follow:
            show_json(started) if as_json else say(f"Started {kind.name} {started['id']}.")
            return
        ended = _followed(kind, client, started["id"], quiet=as_json)
        show_json(ended) if as_json else say(kind.told(ended))
        if ended["status"] != "completed":
            raise typer.Exit(1)


def evaluation_told(state: Data) -> str:
    """How far an evaluation is, as a sentence."""
    if state["status"] != "completed":
        return (
            f"evaluation {state['status']}{_failure(state)} ({state['spend']['calls']} model calls)"
        )
    failed = f", {state['rows_failed']} of them failed" if state["rows_failed"] else ""
    score = f"{figure(state['score'])} by {state['metric']}"
    return (
        f"version {state['program_version']} scores {score} on "
        f"{state['dataset_rows']} {state['split']} rows{failed} "
        f"({state['spend']['calls']} model calls, evaluation {state['evaluation_id']})"
    )


def optimization_told(state: Data) -> str:
    """How far an optimization is, as a sentence."""
    best = "" if state["best_score"] is None else f", best {figure(state['best_score'])}"
    version = f": version {state['adopted_version']}" if state["adopted_version"] else ""
    if state["proposal"]:
        version += f": proposal {state['optimization_id']} is {state['proposal']}"
    calls = state["spend"]["calls"]
    return (
        f"{state['optimizer']} {state['status']}{version}{_failure(state)} "
        f"({state['trials']} trials{best}, {calls} model calls)"
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of run: where it is asked for, what is told of it, and when nothing more comes."""

    name: str
    told: Callable[[Data], str]
    is_over: Callable[[Data], bool]


EVALUATION = Kind("evaluation", evaluation_told, lambda state: state["status"] in ENDED)
OPTIMIZATION = Kind(
    "optimization",
    optimization_told,
    # What a completed one found becomes a version a moment later, if nobody has to approve it.
    lambda state: (
        state["adopted_version"] is not None
        or state["proposal"] is not None
        or state["status"] in ENDED - {"completed"}
    ),
)


def _followed(kind: Kind, client: Stratal, id: str, *, quiet: bool) -> Data:
    """Its state when nothing more comes; a terminal sees how far it is meanwhile."""
    shown = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = quiet or not people.is_terminal
    with Progress(*shown, console=people, disable=hidden, transient=True) as progress:
        task = progress.add_task("waiting for a worker", total=None)
        try:
            while not kind.is_over(state := client.get(f"/v1/{kind.name}s/{id}")):
                if state["status"] != "pending":
                    progress.update(task, description=kind.told(state))
                sleep(EVERY_S)
        except KeyboardInterrupt:
            errors.print(f"The {kind.name} {id} goes on without you.")
            raise
    return state


def _failure(state: Mapping[str, Any]) -> str:
    return f": {state['failure']['message']}" if state["failure"] else ""
