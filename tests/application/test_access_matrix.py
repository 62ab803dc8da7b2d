"""Who may ask for what: the table that people review is what holds, for every command there is."""

import csv
import importlib
import pkgutil
from pathlib import Path
from uuid import UUID

import pytest

import application
from application.authorization import Permission, PermissionIsMissing, authorize
from application.commands import Command
from application.context import Context
from domain.access.values import Role
from tests.support.api import ApiWorld

TABLE = Path(__file__).parent / "access_matrix.csv"


def declared() -> dict[type[Command], Permission]:
    """Every command with the permission that its handler says it needs."""
    modules = [
        importlib.import_module(f"application.{each.name}")
        for each in pkgutil.iter_modules(application.__path__)
    ]
    return {
        method.__handles__: method.__needs__
        for module in modules
        for owner in vars(module).values()
        if isinstance(owner, type) and owner.__module__ == module.__name__
        for method in vars(owner).values()
        if hasattr(method, "__handles__")
    }


def may(role: Role, needs: Permission) -> bool:
    try:
        authorize("It", needs, {role})
    except PermissionIsMissing:
        return False
    return True


def row_of(command: str, needs: Permission) -> dict[str, str]:
    verdicts = {role.value: "yes" if may(role, needs) else "no" for role in Role}
    return {"command": command, "permission": needs.value, **verdicts}


@pytest.mark.feature("VIS-04")
def test_a13_what_each_role_may_is_the_reviewed_table_and_no_command_is_without_a_row() -> None:
    with TABLE.open(newline="") as file:
        reviewed = {row["command"]: row for row in csv.DictReader(file)}
    held = {each.__name__: row_of(each.__name__, needs) for each, needs in declared().items()}
    lacking = [",".join(row.values()) for name, row in held.items() if name not in reviewed]
    assert lacking == [], f"Review who may do it, then add the rows to {TABLE.name}."
    assert reviewed == held


@pytest.mark.feature("VIS-04")
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_a13_no_command_that_a_role_may_not_reaches_its_handler(role: Role | None) -> None:
    world = ApiWorld()
    nobody_else = Context(
        tenant="acme",
        actor="ann",
        correlation_id=UUID(int=1),
        roles=frozenset() if role is None else frozenset({role}),
    )
    forbidden = {
        each: handling.needs
        for each, handling in world.bus.commands.items()
        if role is None or not may(role, handling.needs)
    }
    assert forbidden
    for command, needs in forbidden.items():
        with pytest.raises(PermissionIsMissing, match=f"needs the permission {needs},"):
            world.dispatch(command.model_construct(), nobody_else)
    assert world.log.recorded == []
