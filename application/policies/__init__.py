"""What follows from a fact: events in, commands out. They are pure and run within the append."""

from collections.abc import Callable, Iterable
from typing import Final

from application.commands import Command
from application.policies.adoption import adoption
from application.policies.batches import batches
from application.policies.calls import calling
from application.policies.runs import running
from application.policies.watching import watching
from application.policies.workflows import workflows
from domain.kernel import Recorded

Policy = Callable[[Recorded], Iterable[Command]]

POLICIES: Final[tuple[Policy, ...]] = (running, batches, calling, adoption, workflows, watching)


def reactions(recorded: Recorded) -> list[Command]:
    """Every command that follows from *recorded*."""
    return [command for policy in POLICIES for command in policy(recorded)]
