"""``stratal doctor``: says what is wrong with a set-up and how to mend it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.output import people, show_json, show_pairs


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``advice`` says how to mend it when it is not well."""

    what: str
    is_well: bool
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class DoctorCommand:
    """Looks at everything with *checks*; each one answers instead of raising."""

    settings: Callable[[], Mapping[str, str]]
    checks: Sequence[Callable[[], Finding]]

    def __call__(
        self, *, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
    ) -> None:
        """Say what is wrong with this set-up and how to mend it; ends with 1 if anything is."""
        findings = [check() for check in self.checks]
        if json:
            show_json(
                {
                    "settings": dict(self.settings()),
                    "findings": [
                        {
                            "what": each.what,
                            "is_well": each.is_well,
                            "found": each.found,
                            "advice": each.advice,
                        }
                        for each in findings
                    ],
                }
            )
        else:
            show_pairs({name: value or "(unset)" for name, value in self.settings().items()})
            people.print()
            for each in findings:
                mark = "[green]well[/green]" if each.is_well else "[red]ill [/red]"
                people.print(f"{mark}  {each.what}: {each.found}")
                if not each.is_well:
                    people.print(f"      → {each.advice}")
        raise typer.Exit(0 if all(each.is_well for each in findings) else 1)
