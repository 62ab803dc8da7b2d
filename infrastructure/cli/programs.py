"""``stratal program``: programs, their versions, and running them."""

import json as json_module
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.cli.connection import (
    AsOf,
    Connect,
    Data,
    InputIsUnusable,
    Json,
    ProgramName,
    at,
    json_object,
)
from infrastructure.cli.executions import show_answer
from infrastructure.cli.output import figure, moment, say, show_json, show_pairs, show_table
from infrastructure.cli.streaming import show_streamed


@dataclass(frozen=True, slots=True)
class ProgramCommands:
    """The verbs of ``stratal program``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Programs and their versions.")
        for verb in (self.create, self.list, self.show, self.versions, self.deploy, self.run):
            verbs.command()(verb)
        return verbs

    def create(
        self,
        name: Annotated[str, typer.Argument(help="Name of the new program.")],
        *,
        signature: Annotated[
            str | None, typer.Option("--signature", "-s", help="Such as 'question -> answer'.")
        ] = None,
        graph: Annotated[
            Path | None, typer.Option(help="A file with a whole graph, as JSON.")
        ] = None,
        kind: Annotated[str, typer.Option(help="Such as chain_of_thought or react.")] = "predict",
        parameters: Annotated[
            str | None,
            typer.Option(help='What the kind takes, as JSON: {"max_iterations": 9}.'),
        ] = None,
        description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
        json: Json = False,
    ) -> None:
        """Create a program of one module with a signature, or of a whole graph."""
        if (signature is None) == (graph is None):
            raise InputIsUnusable("Give either --signature or --graph.")
        if kind == "custom":
            raise InputIsUnusable("A module of your own is added with `stratal program add`.")
        created = self.connect().programs.create(
            name,
            signature,
            graph=None if graph is None else _graph(graph),
            kind=kind,
            parameters=None if parameters is None else json_object("--parameters", parameters),
            description=description,
        )
        show_json(created) if json else say(f"Created {name} ({created['id']}), version 1.")

    def show(self, program: ProgramName, *, as_of: AsOf = None, json: Json = False) -> None:
        """Show a program: what it is made of, its stage, its live version and how good that is."""
        found = self.connect().programs.get(program, as_of=as_of)
        if json:
            show_json(found)
            return
        live, metrics = found["deployed_version"], found["metrics"]
        pairs = {
            "program": found["name"],
            "id": found["program_id"],
            "description": found["description"],
            "stage": found["stage"],
            "signature": _signature(found["graph"]["signature"]),
            "modules": ", ".join(
                f"{node['id']} ({_kind(node)})" for node in found["graph"]["nodes"]
            ),
            "versions": found["latest_version"],
            "live": "none" if live is None else f"version {live}",
            "live score": figure(metrics["deployed_score"]),
            "training score": figure(metrics["training_score"]),
            "optimizer": found["default_optimizer"],
            "created": f"{moment(found['created_at'])} by {found['created_by']}",
            "archived": _ended(found, "archived"),
            "retired": _ended(found, "retired"),
        }
        show_pairs({name: value for name, value in pairs.items() if value is not None})

    def versions(self, program: ProgramName, *, as_of: AsOf = None, json: Json = False) -> None:
        """List the versions of a program, with what made them, what they scored, which is live."""
        found = self.connect().get(at("programs", program, "versions"), as_of=as_of)
        if json:
            show_json(found)
            return
        show_table(
            ["version", "made by", "from", "training score", "scores", "live"],
            [
                [
                    each["program_version"],
                    each["optimizer"] or "hand",
                    each["base_version"],
                    figure(each["training_score"]),
                    ", ".join(_scores(each["scores"])) or None,
                    any(one["until"] is None for one in each["deployments"]),
                ]
                for each in found["items"]
            ],
        )

    def deploy(
        self,
        program: ProgramName,
        *,
        version: Annotated[int | None, typer.Option(help="The latest if left out.")] = None,
        because: Annotated[str | None, typer.Option(help="Why.")] = None,
        evidence: Annotated[
            list[str] | None, typer.Option(help="Id of a completed evaluation; repeatable.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Make a version live, with a reason and evidence."""
        client = self.connect()
        done = client.programs.deploy(
            program, version, reason=because, evidence=tuple(evidence or ())
        )
        if json:
            show_json(done)
            return
        found = client.programs.get(program)
        say(f"Version {found['deployed_version']} of {found['name']} is live.")

    def run(
        self,
        program: ProgramName,
        inputs: Annotated[
            list[str] | None,
            typer.Argument(help="name=value for each input; JSON or text, and '\"42\"' is a text."),
        ] = None,
        *,
        version: Annotated[int | None, typer.Option(help="The deployed one if left out.")] = None,
        wait: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 60,
        model: Annotated[
            str | None,
            typer.Option(help="What answers: PROVIDER, PROVIDER/MODEL or route:NAME."),
        ] = None,
        stream: Annotated[
            bool, typer.Option("--stream", help="Print what models say while they say it.")
        ] = False,
        json: Json = False,
    ) -> None:
        """Run a program and print its outputs."""
        if stream:
            told = self.connect().programs.stream(
                program, _inputs(inputs or []), program_version=version, model=model
            )
            if show_streamed(told, as_json=json) != "completed":
                raise typer.Exit(1)
            return
        ran = self.connect().programs.execute(
            program, _inputs(inputs or []), program_version=version, wait_s=wait, model=model
        )
        show_json(ran) if json else show_answer(ran)
        if ran["status"] != "completed":
            raise typer.Exit(1)

    def list(
        self,
        *,
        dearest: Annotated[
            bool, typer.Option("--dearest", help="Those first that cost most in 30 days.")
        ] = False,
        min_cost: Annotated[
            str | None, typer.Option(help="Only those that cost as many US dollars in 30 days.")
        ] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """List programs, newest first, with what each cost in 30 days. + marks what is partial."""
        found = self.connect().programs.list(
            order="monthly_cost" if dearest else "newest",
            min_monthly_cost_usd=min_cost,
            monthly_cost=True,
            as_of=as_of,
        )
        if json:
            show_json([*found])
        else:
            show_table(
                ("program", "stage", "live", "30 days, USD"), [_listed(each) for each in found]
            )


def _inputs(pairs: Sequence[str]) -> dict[str, object]:
    inputs: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputIsUnusable(f"{pair!r} is no input. Write name=value, such as question=why.")
        if name in inputs:
            raise InputIsUnusable(f"The input {name} is given twice. Keep one.")
        try:
            inputs[name] = json_module.loads(value)
        except ValueError:
            inputs[name] = value
    return inputs


def _graph(file: Path) -> dict[str, object]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputIsUnusable(f"{file} cannot be read: {error.strerror}.") from None
    return json_object(str(file), text)


def _kind(node: Data) -> str:
    kind: str = node["module"]["kind"] if node["kind"] == "module" else node["kind"]
    return kind


def _listed(row: Data) -> Sequence[object]:
    cost = row["monthly_cost"]
    usd = f"{cost['usd']} +" if cost["usd"] is not None and cost["is_partial"] else cost["usd"]
    return row["name"], row["stage"], row["deployed_version"], usd


def _signature(spec: Data) -> str:
    def names(fields: Iterable[Data]) -> str:
        return ", ".join(field["name"] for field in fields)

    return f"{names(spec['inputs'])} → {names(spec['outputs'])}"


def _scores(scores: Iterable[Data]) -> Iterable[str]:
    """The newest score of each metric and part."""
    seen: set[tuple[str, str]] = set()
    for each in scores:
        if (what := (each["metric"], each["split"])) not in seen:
            seen.add(what)
            part = "" if each["split"] == "heldout" else f" on {each['split']}"
            yield f"{each['metric']} {figure(each['score'])}{part}"


def _ended(found: Data, how: str) -> str | None:
    when, why = moment(found[f"{how}_at"]), found[f"{how}_because"]
    return when if when is None or why is None else f"{when}: {why}"
