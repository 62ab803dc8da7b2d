"""Roles: what somebody is to a tenant. Which role may do what is said in one table beside them."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is to a tenant. Several add up."""

    VIEWER = "viewer"
    ML_USER = "ml_user"
    ML_ENGINEER = "ml_engineer"
    ADMIN = "admin"
    AUDITOR = "auditor"
    WORKER = "worker"
    """Processes of the service, never a person: nobody can be given it."""
