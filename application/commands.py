"""The command bus: one handler for each command, found by the command's type."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from application.authorization import Permission, authorize
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


def handles(
    command: type[C], needs: Permission
) -> Callable[[Callable[[S, C], Receipt]], Callable[[S, C], Receipt]]:
    """Mark a method as the one handler of *command*, and say what whoever wishes it *needs*.

    There is no command without a permission: leaving it out fails when the module is imported.
    """

    def mark(method: Callable[[S, C], Receipt]) -> Callable[[S, C], Receipt]:
        setattr(method, "__handles__", command)  # noqa: B010 - the attribute is this module's own mark
        setattr(method, "__needs__", needs)  # noqa: B010 - so is this
        return method

    return mark


class Handling(NamedTuple):
    """How a command is carried out, and the permission that it needs."""

    carry_out: Callable[[Any], Receipt]
    needs: Permission


def _never(context: Context) -> Receipt | None:
    del context
    return None


class CommandBus:
    """Finds the handler of a command and runs it within the caller's context."""

    def __init__(self, *handlers: object) -> None:
        self._handlings: dict[type[Command], Handling] = {}
        for owner in handlers:
            self._add(owner)

    @property
    def commands(self) -> Mapping[type[Command], Handling]:
        """Every command the bus can carry out."""
        return self._handlings

    def dispatch(
        self,
        command: Command,
        context: Context,
        first: Callable[[Context], Receipt | None] = _never,
    ) -> Receipt:
        """Carry *command* out on behalf of *context*, and say what it did.

        It is the only way to a handler, so nothing is looked up, checked or called for whoever may
        not. *first* finds what the first command with this one's key did.

        Raises:
            PermissionIsMissing: None of the roles in *context* may.
        """
        name, handling = type(command).__name__, self._handlings[type(command)]
        authorize(name, handling.needs, context.roles)
        if (done := first(context)) is not None:
            return done
        with within(replace(context, command=name)):
            return handling.carry_out(command)

    def _add(self, owner: object) -> None:
        for name in dir(type(owner)):
            method = getattr(type(owner), name)
            if command := getattr(method, "__handles__", None):
                if command in self._handlings:
                    raise TypeError(f"{command.__name__} has two handlers.")
                self._handlings[command] = Handling(getattr(owner, name), method.__needs__)
