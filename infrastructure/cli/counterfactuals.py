"""``stratal execution counterfactual``: recorded executions run another way, and compared."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from json import dumps
from typing import Annotated

import typer

from infrastructure.cli.batches import BatchDidNotComplete, BatchId, estimated, watched
from infrastructure.cli.connection import Connect, Data, Json, ProgramName, Time
from infrastructure.cli.output import errors, figure, say, show_json, show_table
from infrastructure.client import Stratal

SHOWN = 20
"""So many executions that gave something else are shown."""
SHORT = 60

Metric = Annotated[
    str | None, typer.Option(help="Scores both sides, such as exact_match.", metavar="METRIC")
]
Labels = Annotated[
    str | None,
    typer.Option(help="Its rows say what is right; what was given before if left out."),
]


Version = Annotated[int | None, typer.Option(help="What runs; the deployed one if left out.")]
Model = Annotated[
    str | None, typer.Option(help="What answers, as provider/model; as before if left out.")
]
OfVersion = Annotated[int | None, typer.Option(help="Only recorded executions of this version.")]
Actor = Annotated[str | None, typer.Option(help="Only those that they requested.")]
Newest = Annotated[int | None, typer.Option(help="The newest so many; 100 if left out.")]


@dataclass(frozen=True, slots=True)
class CounterfactualCommands:
    """The verb ``counterfactual`` of ``stratal execution``, and ``compare`` of ``batch``."""

    connect: Connect

    def vary(
        self,
        program: ProgramName,
        *,
        version: Version = None,
        model: Model = None,
        of_version: OfVersion = None,
        actor: Actor = None,
        since: Time = None,
        until: Time = None,
        limit: Newest = None,
        metric: Metric = None,
        dataset: Labels = None,
        yes: Annotated[bool, typer.Option("--yes", help="Begin without asking.")] = False,
        json: Json = False,
    ) -> None:
        """Run recorded executions with another version or model, once you saw what it costs.

        Where a call is the same, its answer comes from the record and costs nothing. With --json,
        and without --yes, it only estimates.
        """
        times = {"since": since, "until": until, "limit": limit}
        of = _given(program_version=of_version, actor=actor, **times)
        client = self.connect()
        asked = client.batches.vary(program, of=of, program_version=version, model=model)
        batch = _estimated(client, asked["id"], quiet=json)
        if yes or (not json and _agreed(asked["id"])):
            _begin(client, asked["id"])
            _show(client, asked["id"], metric, dataset, as_json=json)
        elif json:
            show_json(batch)

    def compare(
        self, batch: BatchId, *, metric: Metric = None, dataset: Labels = None, json: Json = False
    ) -> None:
        """Show recorded executions beside their other runs, as far as those have come."""
        _show(self.connect(), batch, metric, dataset, as_json=json)


def _given(**options: object) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _estimated(client: Stratal, batch_id: str, *, quiet: bool) -> Data:
    """The batch once it is known what it takes.

    Raises:
        BatchDidNotComplete: What it is made of was erased meanwhile, so it was called off.
    """
    batch = watched(client, batch_id)
    if batch["status"] != "estimated":
        raise BatchDidNotComplete(batch)
    if not quiet:
        _tell_estimate(batch["estimate"])
    return batch


def _agreed(batch_id: str) -> bool:
    """Whether whoever sits there wants it to begin; nobody is asked where nobody can answer."""
    with suppress(typer.Abort):
        if sys.stdin.isatty() and typer.confirm("Begin?", err=True):
            return True
    errors.print(f"Nothing was run. To begin: stratal batch resume {batch_id}", markup=False)
    return False


def _begin(client: Stratal, batch_id: str) -> None:
    """Resume the batch, and stay until nothing more becomes of it.

    Raises:
        BatchDidNotComplete: It was paused or cancelled on the way.
    """
    done = client.batches.resume(batch_id)
    client.get(f"/v1/batches/{batch_id}", at_least=done["position"])
    ended = watched(client, batch_id)
    if ended["status"] != "completed":
        raise BatchDidNotComplete(ended)


def _tell_estimate(found: Data) -> None:
    say(f"{found['executions']} executions, {found['unchanged']} of them without a new call.")
    say(f"Estimate: {estimated(found)}.")
    if found["paid"]:
        say("Behind the first new call of an execution this is a guess: as many as it made then.")


def _show(
    client: Stratal, batch_id: str, metric: str | None, dataset: str | None, *, as_json: bool
) -> None:
    found = client.batches.comparison(batch_id, metric=metric, dataset=dataset, limit=200)
    if as_json:
        show_json(found)
        return
    sums = found["sums"]
    say(f"{sums['ended']} of {found['rows']} ended, {sums['equal']} gave the same as before.")
    rows = [
        ("cost, US dollars", sums["cost_before_usd"], sums["cost_after_usd"]),
        ("latency, ms", round(sums["latency_before_ms"]), round(sums["latency_after_ms"])),
    ]
    if metric is not None:
        rows.append((metric, figure(sums["score_before"]), figure(sums["score_after"])))
    show_table(["if all calls were made", "before", "after"], rows)
    paid = "unknown" if sums["paid_usd"] is None else f"{sums['paid_usd']} US dollars"
    say(f"Calls reused: {sums['reused']}. Calls paid: {sums['paid']}, {paid}.")
    if others := [*_others(found["items"])]:
        show_table(["execution", "before", "after"], others[:SHOWN])
    if len(others) > SHOWN or found["next"]:
        say(f"See all with stratal batch compare {batch_id} --json.")


def _others(items: list[Data]) -> Iterator[tuple[object, ...]]:
    """Executions that gave something else, or nothing."""
    for each in items:
        if each["is_equal"] is False:
            before, after = each["before"], each["after"]
            why = after["failure"] and after["failure"]["message"]
            said = _short(after["outputs"]) if why is None else _cut(why)
            yield (before["execution_id"], _short(before["outputs"]), said)


def _short(outputs: Data | None) -> str:
    return _cut(dumps(outputs, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
