"""What happens to records and bindings, for histories."""

from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingEvent,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.values import BindingSpec, Constant, FromRecord, Trigger
from domain.record.events import (
    RecordCallFailed,
    RecordCallRepeated,
    RecordCreated,
    RecordDeleted,
    RecordEvent,
    RecordUpdated,
)
from domain.record.values import Answer, Call
from tests.support.histories import FAILURE, an_id, ref

SPEC = BindingSpec(
    resource="post",
    action=Trigger.CREATE,
    program_id=an_id("program"),
    inputs={"article": FromRecord(pointer="/content"), "words": Constant(value=50)},
    outputs={"summary": "summary"},
)
OTHER_SPEC = SPEC.model_copy(
    update={"action": Trigger.UPDATE, "changed": ("content",), "program_version": 2}
)


def a_call(name: str, binding: str = "binding") -> Call:
    """The call that is known by *name*."""
    return Call(execution_id=an_id(f"run of {name}"), binding_id=an_id(binding), binding_version=1)


def answered(call: Call, *, data: str = "summarised") -> RecordUpdated:
    """The answer to *call*."""
    answer = Answer(
        execution_id=call.execution_id,
        binding_id=call.binding_id,
        program_id=an_id("program"),
        program_version=1,
    )
    return RecordUpdated(data=ref(data), changed=("summary",), answer=answer)


def a_record(name: str = "record") -> tuple[RecordEvent, ...]:
    """A record that calls two programs: one answers, one is asked again; then it is deleted."""
    good, bad = a_call(f"{name}, good"), a_call(f"{name}, bad", "another binding")
    return (
        RecordCreated(resource="post", data=ref("first"), calls=(good, bad)),
        answered(good),
        RecordCallFailed(call=bad, failure=FAILURE),
        RecordCallRepeated(failed=bad.execution_id, call=a_call(f"{name}, again")),
        RecordUpdated(data=ref("patched"), changed=("title",), calls=(a_call(f"{name}, late"),)),
        RecordCallFailed(call=a_call(f"{name}, never made"), failure=FAILURE),
        RecordDeleted(reason="It was spam."),
    )


def a_binding(name: str = "post.summarise") -> tuple[BindingEvent, ...]:
    """The whole life of a binding."""
    return (
        BindingCreated(name=name, spec=SPEC),
        BindingChanged(spec=OTHER_SPEC),
        BindingPaused(reason="It costs too much."),
        BindingResumed(),
        BindingRemoved(reason="Nobody reads it."),
    )
