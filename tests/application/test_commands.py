"""Every command has one handler, and the bus finds it by the command's type."""

import importlib
import pkgutil
from typing import Any
from uuid import uuid4

import pytest

import application
from application.authorization import Permission, PermissionIsMissing
from application.commands import Command, CommandBus, handles
from application.context import Context, current
from application.ports import Receipt
from domain.access.values import Role


class Wish(Command):
    text: str


class Granter:
    def __init__(self) -> None:
        self.granted: list[tuple[str, str]] = []

    @handles(Wish, Permission.EXECUTE)
    def grant(self, wish: Wish) -> Receipt:
        self.granted.append((wish.text, current().command))
        return Receipt(uuid4(), 1, 1)


def context_of(*roles: Role) -> Context:
    return Context(tenant="acme", actor="ada", correlation_id=uuid4(), roles=frozenset(roles))


def test_a_command_finds_its_handler_and_is_named_in_the_context() -> None:
    granter = Granter()
    bus = CommandBus(granter)
    bus.dispatch(Wish(text="rain"), context_of(Role.ML_USER))

    assert granter.granted == [("rain", "Wish")]
    assert set(bus.commands) == {Wish}


@pytest.mark.parametrize("roles", [(), (Role.VIEWER, Role.AUDITOR)], ids=["none", "others"])
def test_who_may_not_is_refused_before_anything_is_looked_up(roles: tuple[Role, ...]) -> None:
    granter = Granter()
    bus = CommandBus(granter)

    def first(context: Context) -> Receipt | None:
        raise AssertionError(context)

    with pytest.raises(PermissionIsMissing) as refused:
        bus.dispatch(Wish(text="rain"), context_of(*roles), first)

    having = "auditor, viewer" if roles else "no role"
    assert str(refused.value) == (
        f"Wish needs the permission program.execute, and you are {having}."
        " An admin can issue you a key with the role ml_user or admin."
    )
    assert granter.granted == []


def test_what_was_done_before_is_not_done_again() -> None:
    granter, done = Granter(), Receipt(uuid4(), 1, 7)
    bus = CommandBus(granter)
    assert bus.dispatch(Wish(text="rain"), context_of(Role.ADMIN), lambda _: done) is done
    assert granter.granted == []


def test_a_command_without_a_permission_cannot_be_registered() -> None:
    forgetful: Any = handles
    with pytest.raises(TypeError, match="'needs'"):

        class Forgetful:  # pyright: ignore[reportUnusedClass] - it never comes to be
            @forgetful(Wish)
            def grant(self, wish: Wish) -> Receipt:
                raise AssertionError(wish)


def test_two_handlers_of_one_command_are_a_mistake() -> None:
    with pytest.raises(TypeError, match="Wish has two handlers"):
        CommandBus(Granter(), Granter())


def test_every_command_of_the_product_has_one_handler() -> None:
    modules = [
        importlib.import_module(f"application.{module.name}")
        for module in pkgutil.iter_modules(application.__path__)
    ]
    marked = [
        command
        for module in modules
        for owner in vars(module).values()
        if isinstance(owner, type) and owner.__module__ == module.__name__
        for method in vars(owner).values()
        if (command := getattr(method, "__handles__", None))
    ]
    commands = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, Command)
        and thing.__module__ == module.__name__
        and not thing.__subclasses__()  # what several have in common is no command itself
    }

    assert commands
    assert sorted(each.__name__ for each in marked) == sorted(each.__name__ for each in commands)
