"""Every command has one handler, and the bus finds it by the command's type."""

import importlib
import pkgutil
from uuid import uuid4

import pytest

import application
from application.commands import Command, CommandBus, handles
from application.context import Context, current
from application.ports import Receipt


class Wish(Command):
    text: str


class Granter:
    def __init__(self) -> None:
        self.granted: list[tuple[str, str]] = []

    @handles(Wish)
    def grant(self, wish: Wish) -> Receipt:
        self.granted.append((wish.text, current().command))
        return Receipt(uuid4(), 1, 1)


def test_a_command_finds_its_handler_and_is_named_in_the_context() -> None:
    granter = Granter()
    bus = CommandBus(granter)
    context = Context(tenant="acme", actor="ada", correlation_id=uuid4())

    bus.dispatch(Wish(text="rain"), context)

    assert granter.granted == [("rain", "Wish")]
    assert set(bus.commands) == {Wish}


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
    } - {Command}

    assert commands
    assert sorted(each.__name__ for each in marked) == sorted(each.__name__ for each in commands)
