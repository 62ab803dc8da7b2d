"""``stratal doctor``: says what is wrong with a set-up and how to mend it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import typer
from rich.markup import escape

from infrastructure.cli.connection import Json
from infrastructure.cli.output import people, show_json, show_pairs


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``advice`` says how to mend it when it is not well."""

    what: str
    is_well: bool
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """What is set, and what was found."""

    settings: Mapping[str, str]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class DoctorCommand:
    """Looks at everything with *examine*, which answers instead of raising."""

    examine: Callable[[], Examination]

    def __call__(self, *, json: Json = False) -> None:
        """Say what is wrong with this set-up and how to mend it; ends with 1 if anything is."""
        found = self.examine()
        if json:
            findings = [asdict(each) for each in found.findings]
            show_json({"settings": dict(found.settings), "findings": findings})
        else:
            if found.settings:
                show_pairs({name: value or "(unset)" for name, value in found.settings.items()})
                people.print()
            for each in found.findings:
                _show(each)
        if not all(each.is_well for each in found.findings):
            raise typer.Exit(1)


def _show(finding: Finding) -> None:
    mark = "[green]well[/green]" if finding.is_well else "[red]ill [/red]"
    people.print(f"{mark}  {finding.what}: {escape(finding.found)}")
    if not finding.is_well:
        people.print(f"      → {escape(finding.advice)}")
