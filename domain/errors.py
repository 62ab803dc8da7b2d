"""Base classes of everything the domain refuses. Nothing here knows HTTP."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


class DomainError(Exception):
    """A command was understood and refused; repeating it unchanged cannot succeed.

    ``code`` is stable: clients branch on it, sentences may improve.
    """

    code: ClassVar[str] = "domain.error"


class NotFoundError(DomainError):
    """The command names something that does not exist."""


class ConflictError(DomainError):
    """The current state forbids the command."""


class SpentError(DomainError):
    """What the command would use up is used up already."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was sent.

    ``pointer`` is an RFC 6901 JSON pointer into it, ``code`` is stable, ``message`` helps.
    """

    pointer: str
    code: str
    message: str


class InvalidError(DomainError):
    """What was sent is not well formed; ``faults`` names every fault at once."""

    code: ClassVar[str] = "invalid"

    def __init__(self, message: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class ForbiddenError(InvalidError):
    """What was sent may be well formed, but is not allowed here; ``faults`` names every part."""

    code: ClassVar[str] = "forbidden"


class StaleVersion(ConflictError):
    """The caller decided on an older state than the present one."""

    code: ClassVar[str] = "version.stale"

    def __init__(self, kind: str, id: UUID, *, expected: int, actual: int) -> None:
        super().__init__(
            f"This {kind} is at version {actual}, you expected {expected}."
            " Read it again, then decide again."
        )
        self.kind, self.id, self.expected, self.actual = kind, id, expected, actual
