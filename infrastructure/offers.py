"""Modules that installed distributions offer: read from their metadata, nothing is imported."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from domain.probe.rules import is_allowed

GROUP: Final = "stratal.modules"


@dataclass(frozen=True, slots=True)
class ModuleOffer:
    """A class, the distribution that offers it, and whether it may be imported here."""

    name: str
    import_path: str
    distribution: str
    version: str
    is_allowed: bool


def offers(packages: Collection[str]) -> Iterator[ModuleOffer]:
    """Every module that is offered on this machine; *packages* are those allowed."""
    for each in sorted(entry_points(group=GROUP), key=lambda it: (it.name, it.value)):
        if each.dist is not None:
            allowed = is_allowed(each.value, packages)
            yield ModuleOffer(each.name, each.value, each.dist.name, each.dist.version, allowed)
