"""What each event of a record, or of a binding of programs to records, says in plain English."""

from typing import assert_never
from uuid import UUID

from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingEvent,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.values import BindingSpec
from domain.record.events import (
    RecordCallFailed,
    RecordCallRepeated,
    RecordCreated,
    RecordDeleted,
    RecordEvent,
    RecordUpdated,
)
from domain.record.values import Call
from projections.words import Words, cause_of, many, plain, quoted

_FIELDS_TOLD = 5


def record(id: UUID, event: RecordEvent) -> Words:
    match event:
        case RecordCreated(resource=resource, calls=calls):
            return (f"created {plain(resource)} ", id, _calling(calls))
        case RecordUpdated(changed=changed, calls=calls, answer=None):
            return (f"changed {_fields(changed)} of record ", id, _calling(calls))
        case RecordUpdated(changed=changed, calls=calls, answer=answer):
            assert answer is not None
            gave = f" what version {answer.program_version} of program "
            run = f" gave in execution {answer.execution_id}{_calling(calls)}"
            into = f"stored in {_fields(changed)} of record "
            return (into, id, gave, answer.program_id, run)
        case RecordCallFailed(call=call, failure=failure):
            why = f" because {cause_of(failure)}"
            return ("stored nothing in record ", id, " for binding ", call.binding_id, why)
        case RecordCallRepeated(call=call):
            return ("asked binding ", call.binding_id, " once more for record ", id)
        case RecordDeleted(reason=reason):
            return ("deleted record ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def binding(id: UUID, event: BindingEvent) -> Words:
    match event:
        case BindingCreated(spec=spec):
            return ("bound program ", spec.program_id, f" to {_whenever(spec)} as binding ", id)
        case BindingChanged(spec=spec):
            return ("changed binding ", id, ": program ", spec.program_id, f" to {_whenever(spec)}")
        case BindingPaused(reason=reason):
            return ("paused binding ", id, f" because {quoted(reason)}")
        case BindingResumed():
            return ("resumed binding ", id)
        case BindingRemoved(reason=reason):
            return ("removed binding ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def _whenever(spec: BindingSpec) -> str:
    which = f" of {_fields(spec.changed)}" if spec.changed else ""
    return f"every {spec.action.value}{which} of {plain(spec.resource)} records"


def _calling(calls: tuple[Call, ...]) -> str:
    return f", which called {many(len(calls), 'program')}" if calls else ""


def _fields(names: tuple[str, ...]) -> str:
    if not names:
        return "nothing"
    told = ", ".join(quoted(name) for name in names[:_FIELDS_TOLD])
    more = len(names) - _FIELDS_TOLD
    return f"{told} and {many(more, 'more field')}" if more > 0 else told
