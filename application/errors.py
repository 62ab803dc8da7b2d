"""What the application refuses beyond the domain's own rules."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, DomainError, Fault, InvalidError, NotFoundError


class AggregateNotFound(NotFoundError):
    code: ClassVar[str] = "not_found"

    def __init__(self, kind: str, id: UUID | str) -> None:
        super().__init__(
            f"No {kind} is called {id}." if isinstance(id, str) else f"No {kind} has the id {id}."
        )
        self.kind, self.id = kind, id


class ConcurrentWrite(ConflictError):
    code: ClassVar[str] = "version.concurrent_write"

    def __init__(self, kind: str, id: UUID) -> None:
        super().__init__(
            f"Another writer changed this {kind} ({id}) first. Read it again, then decide again."
        )
        self.kind, self.id = kind, id


class IdIsUnusable(ConflictError):
    """Something has this id that whoever asks cannot see; it is not told what, or whose."""

    code: ClassVar[str] = "id.unusable"

    def __init__(self, kind: str, id: UUID) -> None:
        super().__init__(
            f"The id {id} cannot be used for a new {kind}. Leave it out, or draw one at random."
        )
        self.kind, self.id = kind, id


class IdIsDerived(InvalidError):
    """An id that follows from words: who may choose it learns what others have, or takes it."""

    code: ClassVar[str] = "id.derived"

    def __init__(self, id: UUID) -> None:
        message = f"The id {id} was derived from a name. Leave it out, or draw one at random."
        super().__init__(message, (Fault("/id", self.code, message),))
        self.id = id


class NameIsTaken(ConflictError):
    code: ClassVar[str] = "name.taken"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"A {kind} called {name!r} exists already. Choose another name, or use that one."
        )
        self.kind, self.name = kind, name


class RuleRefused(Exception):
    """A rule of the database refused what was to be stored with an append; nothing was stored.

    Whoever knows the rule says what it means.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(f"The rule {rule} refused it.")
        self.rule = rule


class PayloadIsMissing(NotFoundError):
    code: ClassVar[str] = "payload.missing"

    def __init__(self, digest: str) -> None:
        super().__init__(f"The payload {digest} is not stored for this tenant.")
        self.digest = digest


class IdempotencyKeyReused(InvalidError):
    code: ClassVar[str] = "idempotency_key.reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was used before with another request. Use a new one."
        )
        self.key = key


class StoreIsUnavailable(DomainError):
    """The database cannot be reached or refuses writes; nothing was stored. Try again."""

    code: ClassVar[str] = "store.unavailable"

    def __init__(self, why: str, then: str = "Nothing was stored; try again.") -> None:
        super().__init__(f"The event store is not available ({why}). {then}")


class LogIsBusy(StoreIsUnavailable):
    """More waits to be appended than can be soon; nothing was stored. Try again."""

    code: ClassVar[str] = "log.busy"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} appends wait already")


class OutcomeIsUnknown(StoreIsUnavailable):
    """The connection was lost at the commit, and nobody could be asked since what came of it."""

    code: ClassVar[str] = "store.outcome_unknown"

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            "All or nothing was stored; repeat it with the same Idempotency-Key to learn which.",
        )


class ProjectionIsLate(DomainError):
    """A read model has not reached the position that was asked for. Ask again."""

    code: ClassVar[str] = "projection.late"

    def __init__(self, position: int, reached: int) -> None:
        super().__init__(
            f"The read models have reached position {reached}, you asked for {position}. Ask again."
        )
        self.position, self.reached = position, reached


class AsOfIsAhead(InvalidError):
    """A question about a position or a time that the log has not reached: nobody can know."""

    code: ClassVar[str] = "as_of.ahead"

    def __init__(self, asked: int | datetime, head: int) -> None:
        what = asked.isoformat() if isinstance(asked, datetime) else f"position {asked}"
        super().__init__(
            f"The log ends at position {head}; {what} is still to come."
            f" Ask as of {head} or earlier, or leave as_of out."
        )
        self.asked, self.head = asked, head


class AsOfIsTooCostly(DomainError):
    """A read model that keeps no past had to be folded anew, and that takes too long."""

    code: ClassVar[str] = "as_of.too_costly"

    def __init__(self, read_model: str, position: int, limit_s: float) -> None:
        super().__init__(
            f"The past of {read_model} is folded anew from the log, and up to position {position}"
            f" that takes more than {limit_s:.0f} s. Ask as of an earlier position, or ask the"
            " audit trail, which keeps its past."
        )
        self.read_model, self.position = read_model, position


class AsOfIsBusy(DomainError):
    """As many pasts as may be folded at once are being folded. Ask again."""

    code: ClassVar[str] = "as_of.busy"

    def __init__(self, at_once: int) -> None:
        super().__init__(
            f"{at_once} other questions about the past are being answered. Ask again in a moment."
        )
