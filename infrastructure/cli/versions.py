"""Verbs of ``stratal program`` that make versions by hand, name programs and move them about."""

import json as json_module
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer

from infrastructure.cli.connection import (
    Connect,
    Data,
    InputIsUnusable,
    Json,
    ProgramName,
    at,
    write,
)
from infrastructure.cli.output import say, show_json, show_table
from infrastructure.client import Stratal

Because = Annotated[str | None, typer.Option(help="Why.")]
LONGEST_PROMPT = 60


@dataclass(frozen=True, slots=True)
class VersionCommands:
    """What can be done to versions, and to programs besides running them."""

    connect: Connect

    def add_to(self, verbs: typer.Typer) -> None:
        """Put every verb beside those that *verbs* has."""
        for verb in (self.predictors, self.edit, self.rename, self.describe, self.archive):
            verbs.command()(verb)
        verbs.command()(self.restore)
        verbs.command("export")(self.export)
        verbs.command("import")(self.take_in)

    def predictors(
        self,
        program: ProgramName,
        *,
        version: Annotated[int | None, typer.Option(help="The latest if left out.")] = None,
        json: Json = False,
    ) -> None:
        """List the places of a program that ask a model, with what they are told."""
        path = at("programs", program, "predictors")
        found = self.connect().get(path, version=version)
        if json:
            show_json(found)
            return
        show_table(
            ["predictor", "type", "signature", "instructions", "demos"],
            [
                [
                    each["name"],
                    each["type"],
                    each["signature_module"],
                    _short(each["learned_prompt"]),
                    len(each["few_shot_examples"]),
                ]
                for each in found["items"]
            ],
        )

    def edit(
        self,
        program: ProgramName,
        predictor: Annotated[str, typer.Argument(help="Its name; see `predictors`.")],
        *,
        instructions: Annotated[str | None, typer.Option(help="New ones.")] = None,
        demos: Annotated[
            Path | None, typer.Option(help="New ones: a .jsonl file with an object a line.")
        ] = None,
        base: Annotated[
            int | None, typer.Option(help="The version to edit, else the latest.")
        ] = None,
        because: Because = None,
        json: Json = False,
    ) -> None:
        """Change what a predictor is told: a new version, beside the one it is made of."""
        said = {"instructions": instructions, "demos": demos and _objects(demos)}
        told = {name: value for name, value in said.items() if value is not None}
        if not told:
            raise InputIsUnusable("Nothing to change. Give --instructions, --demos, or both.")
        body = {"predictors": {predictor: told}, "base_version": base, "reason": because}
        self._do(program, "edit", body, json=json)

    def rename(
        self,
        program: ProgramName,
        name: Annotated[str, typer.Argument(help="The new one.")],
        *,
        json: Json = False,
    ) -> None:
        """Call a program otherwise. Its former name leads to it still."""
        client = self.connect()
        done = client.post(at("programs", program, "rename"), {"name": name})
        show_json(done) if json else say(f"{program} is called {name} now.")

    def describe(
        self,
        program: ProgramName,
        description: Annotated[str, typer.Argument(help="What it is for.")],
        *,
        json: Json = False,
    ) -> None:
        """Say what a program is for."""
        client = self.connect()
        done = client.post(at("programs", program, "describe"), {"description": description})
        show_json(done) if json else say(f"{program}: {description}")

    def archive(self, program: ProgramName, *, because: Because = None, json: Json = False) -> None:
        """Put a program away. Nothing runs of it until it is restored."""
        body = {} if because is None else {"reason": because}
        done = self.connect().post(at("programs", program, "archive"), body)
        show_json(done) if json else say(f"{program} is in the archive.")

    def restore(
        self,
        program: ProgramName,
        *,
        version: Annotated[
            int | None, typer.Option(help="Make this version the latest one once more.")
        ] = None,
        because: Because = None,
        json: Json = False,
    ) -> None:
        """Take a program out of the archive; or, with a version, take that up again."""
        if version is not None:
            self._do(program, f"versions/{version}/restore", {"reason": because}, json=json)
            return
        done = self.connect().post(at("programs", program, "restore"))
        show_json(done) if json else say(f"{program} is in service.")

    def export(
        self,
        program: ProgramName,
        *,
        out: Annotated[Path | None, typer.Option(help="The file; else it is printed.")] = None,
    ) -> None:
        """Write a program with all its versions as one JSON document: no ids, no secrets."""
        document = self.connect().get(at("programs", program, "export"))
        text = json_module.dumps(document, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
        if out is None:
            sys.stdout.write(text)
            return
        write(out, text)
        say(f"Wrote {program} with {len(document['versions'])} version(s) to {out}.")

    def take_in(
        self,
        file: Annotated[Path, typer.Argument(help="What `export` wrote.")],
        *,
        name: Annotated[str | None, typer.Option(help="Instead of its own.")] = None,
        json: Json = False,
    ) -> None:
        """Take a program in that was exported, all of it or nothing."""
        client = self.connect()
        params = {"name": name}
        done = client.post("/v1/programs/import", _document(file), params=params)
        if json:
            show_json(done)
            return
        found = client.programs.get(done["id"])
        say(f"Imported {found['name']} with {found['latest_version']} version(s).")

    def _do(self, program: str, action: str, body: Data, *, json: bool) -> None:
        client = self.connect()
        given = {name: value for name, value in body.items() if value is not None}
        done = client.post(at("programs", program, action), given)
        if json:
            show_json(done)
        else:
            say(_made(client, program, changed=done["position"] > 0))


def _made(client: Stratal, program: str, *, changed: bool) -> str:
    latest = client.programs.get(program)["latest_version"]
    if changed:
        return f"Made version {latest} of {program}."
    return f"Version {latest} of {program} is just that already."


def _short(prompt: str | None) -> str | None:
    if prompt is None:
        return None
    line = " ".join(prompt.split())
    return line if len(line) <= LONGEST_PROMPT else line[: LONGEST_PROMPT - 1] + "…"


def _document(file: Path) -> Data:
    try:
        found = json_module.loads(file.read_bytes())
    except OSError as error:
        raise InputIsUnusable(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputIsUnusable(f"{file} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InputIsUnusable(f"{file} holds no program. Write one with `stratal program export`.")
    return cast("Data", found)


def _objects(file: Path) -> list[Data]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [json_module.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise InputIsUnusable(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputIsUnusable(f"{file} is not JSON lines: {error}.") from None
