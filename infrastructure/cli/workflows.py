"""``stratal workflow``: steps that are done in turn, and undone in turn."""

import json as jsonlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from infrastructure.cli.connection import AsOf, Connect, Data, InputIsUnusable, Json, json_object
from infrastructure.cli.output import moment, say, show_json, show_pairs, show_table
from infrastructure.client import Stratal

WorkflowName = Annotated[str, typer.Argument(help="Id or name of a workflow.", metavar="WORKFLOW")]
RunId = Annotated[str, typer.Argument(help="Id of a run.", metavar="RUN")]


class WorkflowDidNotComplete(Exception):
    """The run ended, but not as it was meant to."""

    def __init__(self, run: Data) -> None:
        why = run["failure"] or {"code": "workflow_run.cancelled", "message": "It was cancelled."}
        end = {
            "undone": "All that it had done is undone.",
            "failed": f"Not undone: {', '.join(run['not_undone'])}. Look, then: stratal workflow"
            f" undo {run['workflow_run_id']}",
        }
        super().__init__(f"{why['message']} {end[run['status']]}")
        self.code: str = why["code"]


@dataclass(frozen=True, slots=True)
class WorkflowCommands:
    """The verbs of ``stratal workflow``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Steps done in turn, and undone in turn.")
        verbs.command("define")(self.define)
        verbs.command("list")(self.list)
        verbs.command("start")(self.start)
        verbs.command("runs")(self.runs)
        verbs.command("show")(self.show)
        verbs.command("cancel")(self.cancel)
        verbs.command("undo")(self.undo)
        verbs.command("retire")(self.retire)
        return verbs

    def define(
        self,
        name: Annotated[str, typer.Argument(help="Its name; one that is there gets a version.")],
        file: Annotated[Path, typer.Argument(help="JSON with `inputs` and `steps`.")],
        *,
        json: Json = False,
    ) -> None:
        """Define a workflow, or another version of it."""
        spec, client = _spec_in(file), self.connect()
        if next(iter(client.workflows.list(name=name)), None) is None:
            done = client.workflows.define(name, spec["steps"], inputs=spec["inputs"])
        else:
            done = client.workflows.revise(name, spec["steps"], inputs=spec["inputs"])
        if json:
            show_json(done)
            return
        latest = client.workflows.get(done["id"])["workflow_version"]
        said = "Defined" if done["position"] else "Nothing changed in"
        say(f"{said} {name} ({done['id']}), version {latest}.")

    def list(self, *, as_of: AsOf = None, json: Json = False) -> None:
        """List the workflows in service, newest first."""
        found = [*self.connect().workflows.list(as_of=as_of)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (
                    each["name"],
                    each["workflow_version"],
                    ", ".join(step["name"] for step in each["spec"]["steps"]),
                    each["workflow_id"],
                )
                for each in found
            ]
            show_table(("name", "version", "steps", "id"), rows)
        else:
            say("There are no workflows. Define one with: stratal workflow define NAME FILE")

    def start(
        self,
        workflow: WorkflowName,
        *,
        inputs: Annotated[str, typer.Option(help="What it takes, as a JSON object.")] = "{}",
        wait: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 60,
        json: Json = False,
    ) -> None:
        """Start a workflow, and wait for its end."""
        given = json_object("--inputs", inputs)
        run = self.connect().workflows.start(workflow, given, wait_s=wait)
        _show(run, json=json)

    def runs(
        self,
        *,
        workflow: Annotated[str | None, typer.Option(help="Only those of a workflow.")] = None,
        status: Annotated[
            str | None, typer.Option(help="Such as failed: a person has to look.")
        ] = None,
        json: Json = False,
    ) -> None:
        """List runs, newest first."""
        client = self.connect()
        found = [*client.workflow_runs.list(workflow_id=_id_of(client, workflow), status=status)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (each["workflow_run_id"], each["status"], each["step"], moment(each["updated_at"]))
                for each in found
            ]
            show_table(("run", "status", "step", "updated"), rows)
        else:
            say("There are no runs. Start one with: stratal workflow start WORKFLOW")

    def show(self, run: RunId, *, json: Json = False) -> None:
        """Show a run: each step with what it gave."""
        found = self.connect().workflow_runs.get(run)
        if json:
            show_json(found)
        else:
            _tell(found)

    def cancel(
        self,
        run: RunId,
        *,
        reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    ) -> None:
        """Call a run off; what it has done is undone."""
        self.connect().workflow_runs.cancel(run, reason)
        say(f"Run {run} is called off. What it has done is undone, the latest first.")

    def undo(self, run: RunId) -> None:
        """Try once more to undo what could not be undone."""
        self.connect().workflow_runs.undo(run)
        say(f"Run {run} is tried once more. See: stratal workflow show {run}")

    def retire(
        self,
        workflow: WorkflowName,
        *,
        reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    ) -> None:
        """Take a workflow out of service; its runs go on."""
        self.connect().workflows.retire(workflow, reason)
        say(f"Retired {workflow}.")


def _spec_in(file: Path) -> Data:
    try:
        found: Any = jsonlib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputIsUnusable(f"{file} cannot be read as JSON: {error}.") from None
    if not isinstance(found, dict) or "steps" not in found:
        raise InputIsUnusable(f'{file} holds no workflow. Write it as {{"inputs", "steps"}}.')
    return {"inputs": [], **cast("Data", found)}


def _id_of(client: Stratal, workflow: str | None) -> str | None:
    return None if workflow is None else str(client.workflows.get(workflow)["workflow_id"])


def _show(run: Data, *, json: bool) -> None:
    if json:
        show_json(run)
    else:
        _tell(run)
    if run["status"] in ("undone", "failed"):
        raise WorkflowDidNotComplete(run)


def _tell(run: Data) -> None:
    show_pairs({"run": run["workflow_run_id"], "status": run["status"]})
    if run["steps"]:
        rows = [
            (each["step"], each["status"], each["attempts"], each["outputs"], _why(each))
            for each in run["steps"]
        ]
        show_table(("step", "status", "attempts", "gave", "failure"), rows)


def _why(step: Data) -> str | None:
    return None if step["failure"] is None else str(step["failure"]["message"])
