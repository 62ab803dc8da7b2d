"""What a binding says: which changes of which records run which program, on what, and into what."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from domain.kernel import ValueObject
from domain.text import SafeJson, SafeText


class Trigger(StrEnum):
    """What has to happen to a record."""

    CREATE = "create"
    UPDATE = "update"


class BindingStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


class FromRecord(ValueObject):
    """An input is what the record holds at an RFC 6901 ``pointer``, as it was after the change."""

    pointer: SafeText = Field(examples=["/content"])


class Constant(ValueObject):
    """An input is always the same."""

    value: SafeJson


InputSource = FromRecord | Constant


class BindingSpec(ValueObject):
    """``inputs`` are by input of the program; ``outputs`` by field of the record they go into.

    With ``changed`` fields, an update calls the program only if one of them is not as before.
    Without a ``program_version`` the deployed one runs, or the latest while none is deployed.
    """

    resource: str
    action: Trigger
    changed: tuple[SafeText, ...] = ()
    program_id: UUID
    program_version: Annotated[int, Field(ge=1)] | None = None
    inputs: dict[SafeText, InputSource]
    outputs: dict[SafeText, SafeText]
