"""Everything that can happen to a record, in the order of its life."""

from typing import ClassVar
from uuid import UUID

from domain.kernel import Event
from domain.record.values import Answer, Call, ResourceName
from domain.values import Failure, PayloadRef


class RecordCreated(Event):
    """``data`` is a JSON object. ``calls`` are the programs that are bound to its creation."""

    TOPIC: ClassVar[str] = "record.created"

    resource: ResourceName
    data: PayloadRef
    calls: tuple[Call, ...] = ()


class RecordUpdated(Event):
    """``data`` is the whole object from now on, ``changed`` are its fields that are not as before.

    An ``answer`` says which run's outputs these are; it has none where somebody wrote them.
    """

    TOPIC: ClassVar[str] = "record.updated"

    data: PayloadRef
    changed: tuple[str, ...]
    calls: tuple[Call, ...] = ()
    answer: Answer | None = None


class RecordCallFailed(Event):
    """A call has no answer and will get none. It may never have been made: see ``failure``."""

    TOPIC: ClassVar[str] = "record.call_failed"

    call: Call
    failure: Failure


class RecordCallRepeated(Event):
    """Somebody asked once more for what had failed, on what the record holds now."""

    TOPIC: ClassVar[str] = "record.call_repeated"

    failed: UUID
    call: Call


class RecordDeleted(Event):
    TOPIC: ClassVar[str] = "record.deleted"

    reason: str


RecordEvent = RecordCreated | RecordUpdated | RecordCallFailed | RecordCallRepeated | RecordDeleted
