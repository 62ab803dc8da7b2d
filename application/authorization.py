"""Who may do what: permissions, the roles that have them, and the one place that refuses."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from domain.access.values import Role
from domain.errors import ForbiddenError


class Permission(StrEnum):
    """What a command or a question needs. Each has exactly one; deny is the rule."""

    READ = "read"
    """See what there is, what ran, what it cost."""
    AUDIT = "audit.read"
    """See who did what: the trail, refused attempts, the feed, proofs."""
    AUTHOR = "program.author"
    """Make and change signatures, modules, tools, programs, datasets."""
    EXECUTE = "program.execute"
    """Run programs, and replay and cancel what ran."""
    COMPILE = "program.compile"
    """Evaluate and optimize programs."""
    DEPLOY = "program.deploy"
    """Say what is live, what is put away, what is out of service."""
    MANAGE_KEYS = "key.manage"
    """Issue and revoke keys."""
    SUBSCRIBE = "webhook.manage"
    """Have what happens sent elsewhere."""
    MANAGE_BUDGETS = "budget.manage"
    """Say what runs may cost: open, grant to, change and close budgets."""
    MANAGE_PROVIDERS = "provider.manage"
    """Say which models there are, where they are asked, with which keys, and which is usual."""
    MANAGE_PRICES = "price.manage"
    """Say what models cost: set and withdraw prices."""
    WORK = "work"
    """Carry out what was asked for and what follows of it: only processes of the service do."""


_PEOPLE: Final = frozenset(Permission) - {Permission.WORK}

GRANTS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Permission.READ}),
        Role.ML_USER: frozenset({Permission.READ, Permission.EXECUTE}),
        Role.ML_ENGINEER: frozenset(
            {Permission.READ, Permission.AUTHOR, Permission.COMPILE, Permission.DEPLOY}
        ),
        Role.ADMIN: _PEOPLE,
        Role.AUDITOR: frozenset({Permission.READ, Permission.AUDIT}),
        Role.WORKER: frozenset({Permission.WORK}),
    }
)
"""What each role may do. Whoever may issue keys has all that a key can give."""

EVERYBODY: Final = frozenset({Role.ADMIN})
"""The roles of whoever asks where access is open."""

AS_WORKER: Final = frozenset({Role.WORKER})
"""The roles of a job: it was queued by the service, and never comes over HTTP."""


class PermissionIsMissing(ForbiddenError):
    """Whoever asks does not have the permission that it needs; nothing was done."""

    code: ClassVar[str] = "permission.missing"

    def __init__(self, what: str, needs: Permission, roles: Collection[Role]) -> None:
        having = ", ".join(sorted(roles)) or "no role"
        super().__init__(
            f"{what} needs the permission {needs}, and you are {having}. {_who_can_help(needs)}"
        )
        self.needs = needs


def authorize(what: str, needs: Permission, roles: Collection[Role]) -> None:
    """Refuse *what*, unless one of *roles* has the permission that it *needs*.

    Raises:
        PermissionIsMissing: None has.
    """
    if not any(needs in GRANTS[role] for role in roles):
        raise PermissionIsMissing(what, needs, roles)


def _who_can_help(needs: Permission) -> str:
    if needs is Permission.WORK:
        return "Only processes of the service have it; ask for the run instead."
    having = [role for role, granted in GRANTS.items() if needs in granted]
    return f"An admin can issue you a key with the role {' or '.join(having)}."
