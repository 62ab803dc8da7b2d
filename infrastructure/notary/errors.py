"""What can be wrong with a proof, and with what the notary needs to sign."""

from pathlib import Path
from typing import ClassVar

from domain.errors import ConflictError, InvalidError, NotFoundError


class EventIsUnknown(NotFoundError):
    """The tenant has no event at that position."""

    code: ClassVar[str] = "event.unknown"

    def __init__(self, position: int) -> None:
        super().__init__(f"You have no event at position {position}. See /v1/events.")


class CheckpointIsUnknown(NotFoundError):
    """Nothing was signed at that size."""

    code: ClassVar[str] = "checkpoint.unknown"

    def __init__(self, size: int | None) -> None:
        which = "There is no checkpoint yet" if size is None else f"No checkpoint is of size {size}"
        super().__init__(f"{which}. See /v1/checkpoints for those there are.")


class EventIsNotSigned(ConflictError):
    """The event is younger than the last checkpoint, or than the one that was asked for."""

    code: ClassVar[str] = "proof.not_signed"

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The event at position {position} is later than that checkpoint. One that covers it "
            "follows within seconds while the notary runs; then ask again."
        )


class EventWasChanged(ConflictError):
    """What is stored of the event is not what the notary saw: somebody changed the database."""

    code: ClassVar[str] = "proof.event_changed"

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The event at position {position} is not what it was when the notary saw it. Run "
            "`stratal audit verify`, and keep the database as it is."
        )


class NotaryIsDamaged(ConflictError):
    """A node or a checkpoint that the notary kept is gone or changed."""

    code: ClassVar[str] = "proof.damaged"

    def __init__(self) -> None:
        super().__init__(
            "What the notary kept of the log is damaged, so this cannot be proved. Run "
            "`stratal audit verify`, and keep the database as it is."
        )


class CheckpointsAreReversed(InvalidError):
    """A log goes on from the smaller checkpoint to the greater one."""

    code: ClassVar[str] = "proof.reversed"

    def __init__(self, old: int, new: int) -> None:
        super().__init__(f"{new} is not greater than {old}: name the smaller checkpoint first.")


class NotaryError(Exception):
    """The notary cannot sign as it is set up; events are appended all the same."""

    code: ClassVar[str] = "notary.error"


class KeyIsUnusable(NotaryError):
    code: ClassVar[str] = "notary.key_unusable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The notary's key {path} cannot be used: {why}. Mend it, or name another file in "
            "STRATAL_NOTARY_KEY; `openssl genpkey -algorithm ed25519` makes one."
        )


class WhatIsGivenIsUnusable(NotaryError):
    """A public key or a checkpoint that was given is none."""

    code: ClassVar[str] = "notary.given_unusable"

    def __init__(self, why: str) -> None:
        super().__init__(f"What was given cannot be used: {why}.")


class LogWasRewritten(NotaryError):
    """The log does not go on from what was signed last; nothing more is signed."""

    code: ClassVar[str] = "notary.log_rewritten"

    def __init__(self, last: object, where: str) -> None:
        super().__init__(
            f"The log does not go on from {last}, as {where} has it, so nothing is signed. "
            "Run `stratal audit verify`. If you restored a backup yourself, move that file away."
        )
