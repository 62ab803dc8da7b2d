"""What is refused about signatures, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError

_USERS_SHOWN: Final = 10


class SignatureSyntaxError(InvalidError):
    """A signature text breaks the grammar at ``line`` and ``column``, both counted from 1."""

    code: ClassVar[str] = "invalid_signature_format"

    def __init__(self, text: str, offset: int, problem: str, suggestion: str) -> None:
        self.line, self.column = position(text, offset)
        self.suggestion = suggestion
        message = f"Invalid signature format at line {self.line}, column {self.column}: {problem}."
        super().__init__(message, [Fault("", self.code, f"{message} {suggestion}")])


class UnknownType(InvalidError):
    """A type name outside the closed set; ``suggestion`` is the nearest known one."""

    code: ClassVar[str] = "invalid_type"

    def __init__(self, text: str, offset: int, type: str, suggestion: str) -> None:
        self.line, self.column = position(text, offset)
        self.suggestion = suggestion
        message = f"Invalid type: {type}"
        where = f"at line {self.line}, column {self.column}"
        super().__init__(message, [Fault("", self.code, f"{message} {where}. {suggestion}")])


class InvalidSignature(InvalidError):
    """A well-formed signature breaks a rule; ``faults`` point into its JSON form."""

    code: ClassVar[str] = "signature.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This signature cannot be used: {faults[0].message}", faults)


class ValuesDoNotFit(InvalidError):
    """Inputs or outputs do not fit their signature; ``faults`` point into the values."""

    code: ClassVar[str] = "values.invalid"


class SignatureIsRetired(ConflictError):
    code: ClassVar[str] = "signature.retired"

    def __init__(self, signature_id: UUID) -> None:
        super().__init__(
            f"Signature {signature_id} is retired. Define another one, or use one in service."
        )
        self.signature_id = signature_id


class SignatureIsInUse(ConflictError):
    """Modules in service were made of it; ``users`` are their names."""

    code: ClassVar[str] = "signature.in_use"

    def __init__(self, signature_id: UUID, users: Sequence[str]) -> None:
        more = len(users) - _USERS_SHOWN
        told = ", ".join(users[:_USERS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        super().__init__(
            f"Signature {signature_id} is in use by modules: {told}. Retire them first."
        )
        self.signature_id, self.users = signature_id, tuple(users)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of *offset* in *text*, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
