"""One table says which role may do what, and nobody can rise above their own."""

import pytest

from application.authorization import (
    AS_WORKER,
    EVERYBODY,
    GRANTS,
    Permission,
    PermissionIsMissing,
    authorize,
)
from domain.access.values import Role


def test_every_role_has_its_line_and_every_permission_somebody_who_has_it() -> None:
    assert set(GRANTS) == set(Role)
    assert frozenset().union(*GRANTS.values()) == set(Permission)


def test_roles_add_up() -> None:
    with pytest.raises(PermissionIsMissing):
        authorize("RequestExecution", Permission.EXECUTE, {Role.ML_ENGINEER})
    authorize("RequestExecution", Permission.EXECUTE, {Role.ML_ENGINEER, Role.ML_USER})


def test_whoever_may_issue_keys_has_all_that_a_key_can_give() -> None:
    issuers = [each for each in GRANTS.values() if Permission.MANAGE_KEYS in each]
    given = frozenset().union(*(GRANTS[role] for role in Role if role is not Role.WORKER))
    assert issuers == [given]


def test_only_the_service_itself_works_and_it_does_nothing_else() -> None:
    assert [role for role, granted in GRANTS.items() if Permission.WORK in granted] == [Role.WORKER]
    assert GRANTS[Role.WORKER] == {Permission.WORK}
    assert Role.WORKER not in EVERYBODY
    authorize("RunExecution", Permission.WORK, AS_WORKER)
    with pytest.raises(PermissionIsMissing) as refused:
        authorize("RunExecution", Permission.WORK, EVERYBODY)
    assert str(refused.value) == (
        "RunExecution needs the permission work, and you are admin."
        " Only processes of the service have it; ask for the run instead."
    )
