"""``stratal program add`` and ``stratal plugins``: what other packages bring."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Protocol

import typer

from infrastructure.cli.connection import Connect, Data, InputIsUnusable, Json, json_object
from infrastructure.cli.output import errors, say, show_json, show_table


class Offer(Protocol):
    """What an installed distribution offers in a group such as ``stratal.modules``."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def import_path(self) -> str: ...
    @property
    def distribution(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def is_allowed(self) -> bool: ...


class ModuleIsRefused(Exception):
    """A module was tried out and cannot be used."""

    def __init__(self, failure: Data) -> None:
        super().__init__(failure["message"])
        self.code: str = failure["code"]


class ProbeGoesOn(Exception):
    """The module is still being tried out; no program was created."""

    code = "probe.pending"

    def __init__(self, probe_id: str) -> None:
        super().__init__(
            f"Probe {probe_id} has not ended and goes on. See that a worker runs, then add the"
            " module again with a longer --wait."
        )


@dataclass(frozen=True, slots=True)
class OwnModuleCommands:
    """The verbs about modules that Stratal does not bring itself."""

    connect: Connect
    offers: Callable[[], Iterable[Offer]]

    def add(
        self,
        module: Annotated[str, typer.Argument(help="Such as mypackage.rag:MyRAG.")],
        signature: Annotated[
            str,
            typer.Option(
                "--signature", "-s", help="What it promises, such as 'question -> answer'."
            ),
        ],
        *,
        args: Annotated[str, typer.Option(help="For its constructor, as a JSON object.")] = "{}",
        inputs: Annotated[
            str, typer.Option(help="For the dry run, as JSON; those left out are made up.")
        ] = "{}",
        name: Annotated[str | None, typer.Option(help="Name of the new program.")] = None,
        description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
        wait: Annotated[float, typer.Option(help="Seconds to wait for the probe.")] = 120,
        json: Json = False,
    ) -> None:
        """Create a program of a dspy.Module of your own, once a worker has tried it out."""
        if ":" not in module:
            raise InputIsUnusable(f"'{module}' names no module. Write it as package.module:Class.")
        client = self.connect()
        probe = client.probes.request(
            module,
            signature,
            arguments=json_object("--args", args),
            inputs=json_object("--inputs", inputs),
            wait_s=wait,
        )
        found = _accepted(probe)
        called = name or _snake_case(module.rpartition(":")[2])
        created = client.probes.add(called, probe["probe_id"], description=description)
        if json:
            show_json({"probe": probe, "program": created})
            return
        _show_findings(found)
        source = f"{_whence(found)}, source {found['source_sha256'][:12]}"
        say(f"Created {called} ({created['id']}), version 1: {module} of {source}.")

    def plugins(self, *, json: Json = False) -> None:
        """List what packages on this machine offer; STRATAL_MODULES allows them."""
        offers = list(self.offers())
        if json:
            show_json(
                [
                    {
                        "kind": each.kind,
                        "name": each.name,
                        "import_path": each.import_path,
                        "distribution": each.distribution,
                        "version": each.version,
                        "is_allowed": each.is_allowed,
                    }
                    for each in offers
                ]
            )
            return
        if not offers:
            say("No package of this machine offers anything.")
            return
        show_table(
            ["kind", "name", "import path", "of", "allowed"],
            [
                [
                    each.kind,
                    each.name,
                    each.import_path,
                    f"{each.distribution} {each.version}",
                    each.is_allowed,
                ]
                for each in offers
            ],
        )


def _accepted(probe: Data) -> Data:
    if probe["status"] == "pending":
        raise ProbeGoesOn(probe["probe_id"])
    if probe["status"] == "refused":
        raise ModuleIsRefused(probe["failure"])
    found: Data = probe["findings"]
    return found


def _show_findings(found: Data) -> None:
    paths = [each["path"] for each in found["predictors"]]
    say(f"Predictors: {', '.join(paths) or 'none'}.")
    if not found["repeatable"]:
        errors.print(
            "A second dry run did not repeat the first: replays of this program may diverge."
        )


def _whence(found: Data) -> str:
    if found["distribution"] is None:
        return str(found["package"])
    return f"{found['distribution']} {found['distribution_version']}"


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
