"""What a record, or a binding of programs to records, was after each of its events."""

from typing import Any

from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.values import BindingStatus
from domain.kernel import Event, Recorded
from domain.record.events import RecordCreated, RecordDeleted, RecordUpdated
from projections.bindings import BindingRow
from projections.records import RecordRow


def record(before: RecordRow | None, recorded: Recorded) -> RecordRow:
    """The record after *recorded*; ``None`` is before its first event."""
    at = recorded.timestamp
    if isinstance(recorded.event, RecordCreated):
        return RecordRow(
            record_id=recorded.originator_id,
            version=recorded.originator_version,
            position=recorded.position or 0,
            resource=recorded.event.resource,
            status="active",
            data=recorded.event.data,
            created_at=at,
            created_by=recorded.envelope.actor,
            updated_at=at,
            deleted_at=None,
            deleted_because=None,
        )
    assert before is not None
    changes: dict[str, Any] = {"version": recorded.originator_version, "updated_at": at}
    match recorded.event:
        case RecordUpdated(data=data):
            changes |= {"data": data}
        case RecordDeleted(reason=reason):
            changes |= {"status": "deleted", "deleted_at": at, "deleted_because": reason}
        case _:
            pass
    return before.model_copy(update=changes)


def binding(before: BindingRow | None, recorded: Recorded) -> BindingRow:
    """The binding after *recorded*; ``None`` is before its first event."""
    at = recorded.timestamp
    if isinstance(recorded.event, BindingCreated):
        spec = recorded.event.spec
        return BindingRow(
            binding_id=recorded.originator_id,
            version=recorded.originator_version,
            position=recorded.position or 0,
            name=recorded.event.name,
            resource=spec.resource,
            program_id=spec.program_id,
            spec=spec,
            status=BindingStatus.ACTIVE,
            status_reason=None,
            created_at=at,
            created_by=recorded.envelope.actor,
            updated_at=at,
        )
    assert before is not None
    changes = _changes(recorded.event)
    changes |= {"version": recorded.originator_version, "updated_at": at}
    return before.model_copy(update=changes)


def _changes(event: Event) -> dict[str, Any]:
    match event:
        case BindingChanged(spec=spec):
            return {"spec": spec, "program_id": spec.program_id}
        case BindingPaused(reason=reason):
            return {"status": BindingStatus.PAUSED, "status_reason": reason}
        case BindingResumed():
            return {"status": BindingStatus.ACTIVE, "status_reason": None}
        case BindingRemoved(reason=reason):
            return {"status": BindingStatus.REMOVED, "status_reason": reason}
        case _:
            return {}
