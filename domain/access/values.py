"""Who somebody is to a tenant: names, and roles. What a role may do is the application's table."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import StringConstraints

TENANT: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
ACTOR: Final = r"^[A-Za-z0-9][A-Za-z0-9_.@:+-]{0,127}$"

TenantName = Annotated[str, StringConstraints(pattern=TENANT)]
"""Whose things these are."""

ActorName = Annotated[str, StringConstraints(pattern=ACTOR)]
"""Who acts, as the trail tells it."""


class Role(StrEnum):
    """What somebody is to a tenant. Several add up."""

    VIEWER = "viewer"
    ML_USER = "ml_user"
    ML_ENGINEER = "ml_engineer"
    ADMIN = "admin"
    AUDITOR = "auditor"
    WORKER = "worker"
    """Processes of the service: nobody can be given it."""
