"""The verbs on signatures, programs, datasets, executions and the audit trail, over the API."""

import json as json_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from infrastructure.cli.output import people, show_json, show_pairs, show_table
from infrastructure.client import Stratal

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ProgramName = Annotated[str, typer.Argument(help="Id or name of a program.", metavar="PROGRAM")]
DatasetName = Annotated[str, typer.Argument(help="Id or name of a dataset.", metavar="DATASET")]

FORMATS = {
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
    ".csv": "text/csv",
}


@dataclass(frozen=True, slots=True)
class ResourceCommands:
    """Each verb asks the API that *connect* gives and prints what it says."""

    connect: Callable[[], Stratal]

    def add_to(self, app: typer.Typer) -> None:
        groups: tuple[tuple[str, str, Mapping[str, Callable[..., None]]], ...] = (
            ("signature", "What goes in and what comes out.", {"compile": self.compile_signature}),
            (
                "program",
                "Programs and their versions.",
                {
                    "create": self.create_program,
                    "show": self.show_program,
                    "versions": self.show_versions,
                    "deploy": self.deploy_program,
                    "run": self.run_program,
                },
            ),
            (
                "dataset",
                "Labelled rows.",
                {"load": self.load_dataset, "show": self.show_dataset},
            ),
            (
                "execution",
                "Runs of programs.",
                {"show": self.show_execution, "replay": self.replay_execution},
            ),
        )
        for name, about, verbs in groups:
            group = typer.Typer(no_args_is_help=True, help=about)
            for verb, command in verbs.items():
                group.command(verb)(command)
            app.add_typer(group, name=name)
        app.command("audit")(self.audit)

    def compile_signature(
        self,
        syntax: Annotated[str, typer.Argument(help="Such as 'question -> answer: int'.")],
        *,
        json: Json = False,
    ) -> None:
        """Check a signature and show its fields; nothing is stored."""
        compiled = self.connect().signatures.compile(syntax)
        if json:
            show_json(compiled)
            return
        people.print(compiled["syntax"], markup=False)
        spec = compiled["spec"]
        show_table(
            ["field", "goes", "type", "optional", "description"],
            [
                [field["name"], way, _type(field["type"]), field["optional"], field["description"]]
                for way, fields in (("in", spec["inputs"]), ("out", spec["outputs"]))
                for field in fields
            ],
        )

    def create_program(
        self,
        name: Annotated[str, typer.Argument(help="Name of the new program.")],
        signature: Annotated[
            str, typer.Option("--signature", "-s", help="Such as 'question -> answer'.")
        ],
        *,
        kind: Annotated[str, typer.Option(help="predict or chain_of_thought.")] = "predict",
        description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
        json: Json = False,
    ) -> None:
        """Create a program of one module."""
        module = {"kind": kind, "signature_syntax": signature}
        body = {"name": name, "description": description, "modules": [module]}
        created = self.connect().post("/v1/programs", body)
        show_json(created) if json else people.print(
            f"Created {name} ({created['id']}), version 1."
        )

    def show_program(self, program: ProgramName, *, json: Json = False) -> None:
        """Show a program: its stage, versions and scores."""
        found = self.connect().programs.get(program)
        show_json(found) if json else show_pairs(found)

    def show_versions(self, program: ProgramName, *, json: Json = False) -> None:
        """List the versions of a program, with what made them and what they scored."""
        found = self.connect().get(f"/v1/programs/{program}/versions")
        if json:
            show_json(found)
            return
        show_table(
            ["version", "optimizer", "training score", "scores", "live"],
            [
                [
                    each["program_version"],
                    each["optimizer"],
                    each["training_score"],
                    ", ".join(f"{one['metric']} {one['score']:.3f}" for one in each["scores"]),
                    any(one["until"] is None for one in each["deployments"]),
                ]
                for each in found["items"]
            ],
        )

    def deploy_program(
        self,
        program: ProgramName,
        *,
        version: Annotated[int | None, typer.Option(help="The latest if left out.")] = None,
        because: Annotated[str, typer.Option(help="Why.")] = "No reason was given.",
        evidence: Annotated[
            list[str] | None, typer.Option(help="Id of a completed evaluation; repeatable.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Make a version live, with a reason and evidence."""
        body = {"program_version": version, "reason": because, "evidence": evidence or []}
        done = self.connect().post(f"/v1/programs/{program}/deploy", body)
        show_json(done) if json else people.print(f"Deployed {program}.")

    def run_program(
        self,
        program: ProgramName,
        inputs: Annotated[
            list[str] | None, typer.Argument(help="name=value for each input; JSON or text.")
        ] = None,
        *,
        version: Annotated[int | None, typer.Option(help="The deployed one if left out.")] = None,
        wait: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 60,
        json: Json = False,
    ) -> None:
        """Run a program and print its outputs."""
        body = {"inputs": _inputs(inputs or []), "program_version": version, "wait": wait}
        ran = self.connect().post(f"/v1/programs/{program}/execute", body)
        if json:
            show_json(ran)
            return
        _show_run(ran)
        if ran["status"] != "completed":
            raise typer.Exit(1)

    def load_dataset(
        self,
        name: Annotated[str, typer.Argument(help="A new name, or a dataset that is there.")],
        file: Annotated[Path, typer.Argument(help=".jsonl, .json or .csv", exists=True)],
        *,
        split: Annotated[str, typer.Option(help="train or heldout.")] = "train",
        json: Json = False,
    ) -> None:
        """Load the rows of a file into a dataset; it is created when it is not there."""
        if (form := FORMATS.get(file.suffix.lower())) is None:
            raise typer.BadParameter(f"{file.name} is none of {', '.join(FORMATS)}.")
        client = self.connect()
        if not client.get("/v1/datasets", name=name)["items"]:
            client.datasets.create(name, purpose="custom")
        done = client.send(f"/v1/datasets/{name}/rows", file.read_bytes(), content_type=form, split=split)
        show_json(done) if json else people.print(f"Loaded {file.name} into {name} ({split}).")

    def show_dataset(self, dataset: DatasetName, *, json: Json = False) -> None:
        """Show a dataset and the statistics of its rows."""
        client = self.connect()
        found = client.datasets.get(dataset)
        statistics = client.datasets.statistics(dataset)
        show_json({**found, "statistics": statistics}) if json else show_pairs(
            {**found, "statistics": statistics}
        )

    def show_execution(
        self,
        execution: Annotated[str, typer.Argument(help="Id of an execution.")],
        *,
        trace: Annotated[bool, typer.Option("--trace", help="With every model call.")] = False,
        json: Json = False,
    ) -> None:
        """Show an execution: inputs, outputs, cost, and on request its model calls."""
        client = self.connect()
        found = client.executions.get(execution)
        if trace:
            found["trace"] = list(client.executions.trace(execution))
        show_json(found) if json else show_pairs(found)

    def replay_execution(
        self,
        execution: Annotated[str, typer.Argument(help="Id of an execution that has ended.")],
        *,
        json: Json = False,
    ) -> None:
        """Repeat an execution from the log, with the model switched off, and compare."""
        verdict = self.connect().executions.replay(execution, wait_s=60)
        if json:
            show_json(verdict)
        elif verdict["outcome"] == "verified":
            answered = verdict["answered_from_log"]
            people.print(
                f"Verified: model calls 0, answered from the log {answered}, outputs equal."
            )
        else:
            people.print(f"Diverged: {verdict['failure'] or verdict['outcome']}")
        if verdict["outcome"] != "verified":
            raise typer.Exit(1)

    def audit(
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
            people.print(f"[dim]{each['position']:>6}[/dim]  {each['sentence']}", markup=True)


def _inputs(pairs: list[str]) -> dict[str, object]:
    inputs: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not name=value.")
        try:
            inputs[name] = json_module.loads(value)
        except json_module.JSONDecodeError:
            inputs[name] = value
    return inputs


def _show_run(ran: Mapping[str, Any]) -> None:
    shown = dict(ran["outputs"] or {})
    if ran["failure"]:
        shown["failure"] = ran["failure"]["message"]
    usage = ran["token_usage"]
    shown["·"] = (
        f"{ran['status']}, version {ran['program_version']}, {usage['calls']} model call(s), "
        f"{usage['total_tokens']} tokens, execution {ran['execution_id']}"
    )
    show_pairs(shown)


def _type(type: Mapping[str, Any]) -> str:
    match type["kind"]:
        case "primitive":
            return str(type["name"])
        case "enum":
            return " | ".join(type["values"])
        case "list":
            return f"list[{_type(type['item'])}]"
        case "dict":
            return f"dict[{_type(type['key'])}, {_type(type['value'])}]"
        case "optional":
            return f"{_type(type['of'])} | null"
        case _:
            return " | ".join(_type(option) for option in type["options"])
