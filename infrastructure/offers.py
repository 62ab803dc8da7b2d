"""What installed distributions offer: read from their metadata, nothing is imported."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from domain.probe.rules import is_allowed

KINDS: Final = ("module", "metric", "optimizer", "provider")
"""Each is offered in a group of entry points: ``stratal.modules``, ``stratal.metrics`` …"""


@dataclass(frozen=True, slots=True)
class Offer:
    """A class or function, who offers it, and whether it may be imported here."""

    kind: str
    name: str
    import_path: str
    distribution: str
    version: str
    is_allowed: bool


def offers(packages: Collection[str]) -> Iterator[Offer]:
    """All that is offered on this machine; *packages* are those allowed."""
    for kind in KINDS:
        group = entry_points(group=f"stratal.{kind}s")
        for each in sorted(group, key=lambda it: (it.name, it.value)):
            if (dist := each.dist) is not None:
                allowed = is_allowed(each.value, packages)
                yield Offer(kind, each.name, each.value, dist.name, dist.version, allowed)
