"""What becomes of a command, noted on its way, so that the audit has those that left no event."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from starlette.responses import Response
from starlette.types import Scope

from application.auditing import Outcome
from application.commands import Command
from application.ports import Receipt
from application.scrubbing import scrubbed_text
from domain.errors import DomainError
from infrastructure.api.problems import RequestIsInvalid, faults_of, response

_MARK: Final = "stratal.mark"
_REASON_CHARACTERS: Final = 500
_SO_ALREADY: Final = "It was so already."


class Mark:
    """What is known so far of one request: the command it became, and how that ended."""

    def __init__(self) -> None:
        self.command: str | None = None
        self.aggregate_id: UUID | None = None
        self.error: DomainError | None = None
        self._is_unchanged = False

    def became(self, command: Command) -> None:
        """The request became *command*; what it is about is the first id that it names."""
        self.command = type(command).__name__
        self.aggregate_id = next((each for _, each in command if isinstance(each, UUID)), None)

    def did(self, receipt: Receipt) -> None:
        """The command was carried out."""
        self._is_unchanged = not receipt.position

    def failed(self, error: DomainError) -> None:
        """The request is answered with *error*."""
        self.error = error
        if isinstance(error, RequestIsInvalid) and error.command:
            self.command = error.command

    @property
    def outcome(self) -> Outcome | None:
        """Why it left no event; ``None`` if it did, or never was carried out."""
        if self.error is not None:
            return Outcome.REFUSED
        return Outcome.UNCHANGED if self._is_unchanged else None

    @property
    def reason(self) -> str:
        """The sentence it was answered with, without secrets; of its faults the codes alone."""
        if self.error is None:
            return _SO_ALREADY
        codes = sorted({each.code for each in faults_of(self.error)})
        told = f"{self.error} ({', '.join(codes)})" if codes else str(self.error)
        return scrubbed_text(told)[:_REASON_CHARACTERS]


def mark(scope: Scope) -> Mark:
    """Begin to note what becomes of the request of *scope*."""
    made = scope[_MARK] = Mark()
    return made


def marked(scope: Scope) -> Mark:
    """What is noted of the request of *scope*; a question's goes nowhere."""
    found: Mark | None = scope.get(_MARK)
    return found or Mark()


def refused(
    scope: Scope,
    error: DomainError,
    correlation_id: UUID,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The reply that tells of *error*, which is noted."""
    marked(scope).failed(error)
    return response(error, correlation_id, headers)
