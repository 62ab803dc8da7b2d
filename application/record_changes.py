"""How a record comes to hold something else, whoever changes it: people, programs, workflows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from application.attempts import insist_with
from application.bound import BoundPrograms
from application.errors import AggregateNotFound
from application.payloads import Payload
from application.ports import PayloadStore, Receipt, Repository
from application.runnable import json_object
from domain.binding.values import Trigger
from domain.record.aggregate import Record
from domain.record.errors import InvalidRecord
from domain.record.rules import Data, calls_of, changed_fields, data_faults
from domain.record.values import Call


@dataclass(frozen=True, slots=True)
class Change:
    """What a record is to hold, which fields are new in it, and the calls that this makes.

    ``ended`` are calls that are not made: they were, earlier in the same chain.
    """

    data: Payload
    changed: Sequence[str]
    calls: Sequence[Call] = ()
    ended: Sequence[Call] = ()


@dataclass(frozen=True, slots=True)
class RecordChanges:
    """What every change of a record has in common."""

    records: Repository[Record]
    bound: BoundPrograms
    payloads: PayloadStore

    def of(
        self,
        record: Record,
        change: Callable[[Data], Data],
        *,
        cause: Call | None = None,
    ) -> Change:
        """What *change* makes of what *record* holds; *cause* is the call whose answer it is.

        Raises:
            InvalidRecord: That cannot be kept.
            PayloadIsMissing: What it holds was erased.
        """
        before = json_object(self.payloads.get(record.data))
        after = change(before)
        data, changed = kept(after, ""), changed_fields(before, after)
        if not changed:
            return Change(data, changed)
        bound = self.bound.called(record.resource, Trigger.UPDATE, changed)
        calls, ended = calls_of(record.id, record.version + 1, bound, cause)
        return Change(data, changed, calls, ended)

    def insist(self, id: UUID, decide: Callable[[Record], Sequence[Payload]]) -> Receipt:
        """Decide, and decide again on the newer state when somebody else wrote first.

        Raises:
            ConcurrentWrite: Somebody else was first ten times in a row.
        """
        return insist_with(self.records, id, decide)

    def require_kind(self, record: Record, resource: str) -> None:
        """Refuse to go on unless *record* is one of *resource*.

        Raises:
            AggregateNotFound: It is a record of something else.
        """
        if record.resource != resource:
            raise AggregateNotFound(resource, record.id)


def kept(data: Data, at: str) -> Payload:
    """*data*, which stands at the pointer *at*, as a record keeps it.

    Raises:
        InvalidRecord: It is too large; the error names every fault.
    """
    payload = Payload.of(dict(data))
    if faults := list(data_faults(data, payload.ref.size_bytes, at)):
        raise InvalidRecord(faults)
    return payload
