"""The command bus: one handler for each command, found by the command's type."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from application.context import Context, within
from application.payloads import canonical_json
from application.ports import Receipt

C = TypeVar("C", bound="Command")
S = TypeVar("S")


class Command(BaseModel):
    """A wish, named in the imperative; valid in form once constructed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def fingerprint(self) -> str:
        """A digest of the type and the whole body: equal wishes have equal fingerprints."""
        body = canonical_json(
            {"command": type(self).__name__, "body": self.model_dump(mode="json")}
        )
        return hashlib.sha256(body).hexdigest()


def handles(command: type[C]) -> Callable[[Callable[[S, C], Receipt]], Callable[[S, C], Receipt]]:
    """Mark a method as the one handler of *command*."""

    def mark(method: Callable[[S, C], Receipt]) -> Callable[[S, C], Receipt]:
        setattr(method, "__handles__", command)  # noqa: B010 - the attribute is this module's own mark
        return method

    return mark


class CommandBus:
    """Finds the handler of a command and runs it within the caller's context."""

    def __init__(self, *handlers: object) -> None:
        self._handlers: dict[type[Command], Callable[[Any], Receipt]] = {}
        for owner in handlers:
            self._add(owner)

    @property
    def commands(self) -> Mapping[type[Command], Callable[[Any], Receipt]]:
        """Every command the bus can carry out."""
        return self._handlers

    def dispatch(self, command: Command, context: Context) -> Receipt:
        """Carry *command* out on behalf of *context*, and say what it did."""
        with within(replace(context, command=type(command).__name__)):
            return self._handlers[type(command)](command)

    def _add(self, owner: object) -> None:
        for name in dir(type(owner)):
            if command := getattr(getattr(type(owner), name), "__handles__", None):
                if command in self._handlers:
                    raise TypeError(f"{command.__name__} has two handlers.")
                self._handlers[command] = getattr(owner, name)
