"""Examples of what happens to records, and to bindings of programs to them."""

from collections.abc import Sequence
from typing import Final

from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.values import BindingSpec, Constant, FromRecord, Trigger
from domain.kernel import Event
from domain.record.events import (
    RecordCallFailed,
    RecordCallRepeated,
    RecordCreated,
    RecordDeleted,
    RecordUpdated,
)
from domain.record.values import Answer, Call
from domain.values import Failure
from tests.support.histories import an_id, ref

_CALL = Call(
    execution_id=an_id("execution"),
    binding_id=an_id("binding"),
    binding_version=2,
    chain=(an_id("another binding"),),
)
_ANSWER = Answer(
    execution_id=an_id("execution"),
    binding_id=an_id("binding"),
    program_id=an_id("program"),
    program_version=3,
)
_SPEC = BindingSpec(
    resource="post",
    action=Trigger.UPDATE,
    changed=("content", "title"),
    program_id=an_id("program"),
    program_version=3,
    inputs={"article": FromRecord(pointer="/content"), "tone": Constant(value={"dry": [1, None]})},
    outputs={"summary": "summary"},
)
_BARE_SPEC = BindingSpec(
    resource="post",
    action=Trigger.CREATE,
    program_id=an_id("program"),
    inputs={"article": FromRecord(pointer="/content")},
    outputs={"summary": "summary"},
)
_FAILURE = Failure(
    code="provider.rate_limited", message="Try later.", retryable=True, provider_status=429
)

RECORDS: Final[Sequence[Sequence[Event]]] = (
    (
        RecordCreated(resource="post", data=ref("data"), calls=(_CALL,)),
        RecordCreated(resource="post", data=ref("data")),
    ),
    (
        RecordUpdated(data=ref("data"), changed=("summary",), calls=(_CALL,), answer=_ANSWER),
        RecordUpdated(data=ref("data"), changed=("title",)),
    ),
    (RecordCallFailed(call=_CALL, failure=_FAILURE),),
    (RecordCallRepeated(failed=an_id("failed execution"), call=_CALL),),
    (RecordDeleted(reason="It was spam."),),
    (
        BindingCreated(name="post.summarise", spec=_SPEC),
        BindingCreated(name="post.summarise", spec=_BARE_SPEC),
    ),
    (BindingChanged(spec=_SPEC),),
    (BindingPaused(reason="It costs too much."),),
    (BindingResumed(),),
    (BindingRemoved(reason="Nobody reads it."),),
)
