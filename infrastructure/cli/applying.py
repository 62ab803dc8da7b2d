"""``stratal plan`` and ``stratal apply``: what a file says there should be, made so."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infrastructure.cli.connection import Connect, Json
from infrastructure.cli.output import say, show_json

if TYPE_CHECKING:
    from infrastructure.cli.manifest.planning import Step

ManifestName = Annotated[Path, typer.Argument(help="A YAML or JSON file.", metavar="MANIFEST")]


@dataclass(frozen=True, slots=True)
class ManifestCommands:
    """The verbs that take a manifest."""

    connect: Connect

    def plan(self, file: ManifestName, *, json: Json = False) -> None:
        """Show what `apply` would do with a manifest. Nothing is changed."""
        steps = self._steps(file)
        if json:
            show_json(_data(steps))
            return
        _show(steps)
        say(_summed(steps, "to create", "to change"))

    def apply(self, file: ManifestName, *, json: Json = False) -> None:
        """Make signatures, modules, programs and datasets as a manifest has them."""
        steps = self._steps(file)
        for step in steps:
            for act in step.acts:
                act()
        if json:
            show_json(_data(steps))
            return
        _show(steps)
        say(_summed(steps, "created", "changed"))

    def _steps(self, file: Path) -> "Sequence[Step]":
        # Data models take a while to import, and the other verbs do without them.
        from infrastructure.cli.manifest.model import manifest  # noqa: PLC0415
        from infrastructure.cli.manifest.planning import plan  # noqa: PLC0415
        from infrastructure.cli.manifest.reading import read  # noqa: PLC0415

        return plan(self.connect(), manifest(read(file)))


def _data(steps: "Sequence[Step]") -> list[dict[str, object]]:
    return [{"verb": each.verb, "thing": each.thing, "told": list(each.told)} for each in steps]


def _show(steps: "Sequence[Step]") -> None:
    for step in steps:
        say(f"{step.verb:<6}  {step.thing}")
        for line in step.told:
            say(f"          {line}")


def _summed(steps: "Sequence[Step]", created: str, changed: str) -> str:
    count = Counter(step.verb for step in steps)
    return f"{count['create']} {created}, {count['change']} {changed}, {count['same']} as they are."
